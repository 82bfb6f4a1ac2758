package contract

import (
	"os"
	"path/filepath"
	"strings"
)

// Account is as whom a process runs and what it can do.
type Account struct {
	UID    int   `json:"uid"`
	GID    int   `json:"gid"`
	Groups []int `json:"groups"`
	// Capabilities, Bounding, NoNewPrivileges and Seccomp are the lines CapEff,
	// CapBnd, NoNewPrivs and Seccomp of /proc/self/status.
	Capabilities    string `json:"capabilities"`
	Bounding        string `json:"bounding"`
	NoNewPrivileges string `json:"noNewPrivileges"`
	Seccomp         string `json:"seccomp"`
	// Writable are the folders of the usual ones that it can write to.
	Writable []string `json:"writable"`
}

// About tells as whom this process runs.
func About() Account {
	a := Account{UID: os.Getuid(), GID: os.Getgid(), Writable: []string{}}
	a.Groups, _ = os.Getgroups()
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "CapEff":
			a.Capabilities = value
		case "CapBnd":
			a.Bounding = value
		case "NoNewPrivs":
			a.NoNewPrivileges = value
		case "Seccomp":
			a.Seccomp = value
		}
	}
	folders := []string{"/"}
	entries, _ := os.ReadDir("/")
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != "proc" && entry.Name() != "sys" {
			folders = append(folders, "/"+entry.Name())
		}
	}
	for _, folder := range append(folders, "/var/lib", "/var/run", "/var/tmp", "/usr/local/bin", "/dev/shm") {
		probe := filepath.Join(folder, ".contract-probe")
		if os.WriteFile(probe, nil, 0o600) == nil {
			_ = os.Remove(probe)
			a.Writable = append(a.Writable, folder)
		}
	}
	return a
}
