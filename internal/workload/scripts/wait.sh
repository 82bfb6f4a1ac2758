# wait_for WHAT COMMAND...: repeats a command until it succeeds, and gives up
# after WAIT_SECONDS: a connection can be refused or dropped until the store has
# started, and until the network policies know this pod. The command says what
# it needs at most.
wait_for() {
	what=$1 waiting=
	shift
	until=$(($(date +%s) + ${WAIT_SECONDS:-240}))
	until "$@" >/dev/null 2>&1; do
		if [ "$(date +%s)" -ge "$until" ]; then
			echo "$what does not answer, within ${WAIT_SECONDS:-240} s: is it running, and do the network policies let this pod connect?" >&2
			exit 1
		fi
		[ -n "$waiting" ] || echo "waiting for $what" >&2
		waiting=yes
		sleep 1
	done
}
