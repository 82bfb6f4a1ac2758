package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"nova.dev/infra/internal/cluster"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/rehearsal/traffic"
	"nova.dev/infra/internal/releasing"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/toolchain"
)

// Options say what is rehearsed.
type Options struct {
	// Project and Stack name the stack. Its files are read and never written.
	Project engine.Project
	Stack   string
	// Services are the short names of those that a release changes; none means all.
	Services []string
	// Factor is by how much time is compressed; the default is DefaultFactor.
	Factor float64
	// Rate is how many requests per second users send to each service, in the time
	// that is compressed; the default is DefaultRate.
	Rate float64
	// Command is this program, which is started as the process that dies.
	Command string
	// Progress receives a line for each step.
	Progress io.Writer
}

// DefaultFactor makes a minute a second. DefaultRate is enough for a verdict in every
// stage.
const (
	DefaultFactor = 60
	DefaultRate   = 30
)

// Tools are the programs that a rehearsal needs beyond those of `make up`; Prometheus
// only where none is installed.
func Tools(root string) []string {
	tools := []string{toolchain.RolloutsController}
	if _, err := findPrometheus(root); err != nil {
		tools = append(tools, toolchain.Prometheus)
	}
	return tools
}

// Environment is where releases are rehearsed. Close it.
type Environment struct {
	options Options
	// folder holds everything: the copy of the project, the cluster, logs.
	folder  string
	stack   *stack.Stack
	cluster *releasing.Cluster
	store   *releasing.Store
	metrics *releasing.Metrics
	engine  *releasing.Engine
	lease   releasing.Lease

	// fault is what goes wrong at the moment.
	fault atomic.Pointer[active]
	// failure is why the simulation has ended by itself.
	failure atomic.Pointer[error]
	// closers are called in reverse order.
	closers []func() error
	began   time.Time
}

// active is a fault of the new version of one service.
type active struct {
	Fault
	// image is that of the new version of the faulty service.
	image string
}

// Start starts an environment in which the stack runs, with traffic.
func Start(ctx context.Context, o Options) (*Environment, error) {
	if o.Factor == 0 {
		o.Factor = DefaultFactor
	}
	if o.Rate == 0 {
		o.Rate = DefaultRate
	}
	o.Progress = &lines{out: o.Progress}
	e := &Environment{options: o, began: time.Now()}
	if err := e.start(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Close ends everything that the environment has started, and removes its files.
func (e *Environment) Close() error {
	var all []error
	for len(e.closers) > 0 {
		last := len(e.closers) - 1
		all = append(all, e.closers[last]())
		e.closers = e.closers[:last]
	}
	return errors.Join(all...)
}

// lines is written to by several processes and goroutines at once.
type lines struct {
	mu  sync.Mutex
	out io.Writer
}

// Write implements io.Writer.
func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(text)
}

func (e *Environment) later(closer func() error) { e.closers = append(e.closers, closer) }

func (e *Environment) say(format string, args ...any) {
	fmt.Fprintf(e.options.Progress, "%5.1f s  %s\n", time.Since(e.began).Seconds(), fmt.Sprintf(format, args...))
}

func (e *Environment) start(ctx context.Context) error {
	o := e.options
	original, err := o.Project.Config(o.Stack)
	if err != nil {
		return err
	}
	if e.folder, err = os.MkdirTemp("", "nova-rehearsal-"); err != nil {
		return err
	}
	e.later(func() error { return os.RemoveAll(e.folder) })
	answers := &exporter{}
	proxy, err := e.serve(answers)
	if err != nil {
		return err
	}
	path, err := findPrometheus(o.Project.Root)
	if err != nil {
		return err
	}
	server, err := startPrometheus(ctx, path, filepath.Join(e.folder, "prometheus"), original.MonitoringSettings(), proxy, o.Factor)
	if err != nil {
		return err
	}
	e.later(func() error { server.stop(); return nil })
	e.say("Prometheus answers at %s, with times %v times as short", server.URL, o.Factor)

	folder := filepath.Join(e.folder, "project")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	project, changed, err := copyProject(o.Project, o.Stack, folder, server.URL)
	if err != nil {
		return err
	}
	e.stack = changed
	client, err := e.startCluster(ctx, project)
	if err != nil {
		return err
	}
	simulating, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	simulation := e.simulation(client, answers, server.targets)
	go func() {
		defer close(ended)
		if err := simulation.run(simulating); err != nil {
			e.failure.Store(&err)
		}
	}()
	e.later(func() error { stop(); <-ended; return nil })
	if err := e.deploy(ctx, project, client, server.URL); err != nil {
		return err
	}
	measured := 0
	for _, s := range e.stack.Services {
		if s.MetricsPath != "" {
			measured += s.Replicas
		}
	}
	if err := server.sees(ctx, measured); err != nil {
		return err
	}
	e.say("Prometheus scrapes %d pods", measured)
	return nil
}

// serve serves the exporter on a loopback address and returns its URL.
func (e *Environment) serve(answers *exporter) (string, error) {
	server := &http.Server{Handler: answers, ReadHeaderTimeout: 5 * time.Second}
	listener, err := listen()
	if err != nil {
		return "", err
	}
	go server.Serve(listener) //nolint:errcheck // It ends with Close.
	e.later(server.Close)
	return "http://" + listener.Addr().String(), nil
}

// startCluster starts the control plane and the controller of Rollouts.
func (e *Environment) startCluster(ctx context.Context, project engine.Project) (kubernetes.Interface, error) {
	controller, err := toolchain.Find(project.Root, toolchain.RolloutsController)
	if err != nil {
		return nil, err
	}
	plane, err := cluster.New(cluster.Options{Root: project.Root})
	if err != nil {
		return nil, err
	}
	e.later(func() error { return plane.Down(context.WithoutCancel(ctx), io.Discard) })
	if err := plane.Up(ctx, io.Discard); err != nil {
		return nil, err
	}
	e.say("the embedded control plane runs")
	ports := make([]string, 2)
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return nil, err
		}
	}
	running, err := start("the controller of Argo Rollouts", controller, filepath.Join(e.folder, "rollouts.log"),
		"--kubeconfig", plane.Kubeconfig(), "--namespace", e.stack.Namespace, "--namespaced", "--leader-elect=false",
		"--metricsPort", ports[0], "--healthzPort", ports[1], "--loglevel", "warn")
	if err != nil {
		return nil, err
	}
	e.later(func() error { running.stop(); return nil })
	access, err := clientcmd.BuildConfigFromFlags("", plane.Kubeconfig())
	if err != nil {
		return nil, err
	}
	access.QPS = -1
	return kubernetes.NewForConfig(access)
}

// simulation gives the pods of the stack their traffic.
func (e *Environment) simulation(client kubernetes.Interface, answers *exporter, targets string) *simulation {
	services := map[string]stack.Service{}
	for _, s := range e.stack.Services {
		services[s.KubernetesName()] = s
	}
	return &simulation{
		client: client, namespace: e.stack.Namespace, services: services, factor: e.options.Factor,
		model: traffic.New(e.options.Rate, 1), exporter: answers, targets: targets,
		behaves: func(_, image string) (traffic.Behavior, bool) {
			f := e.fault.Load()
			switch {
			case f == nil || f.image != image:
				return traffic.Healthy(), false
			case f.behavior != nil:
				return *f.behavior, f.crashes
			}
			return traffic.Healthy(), f.crashes
		},
		rate: func() float64 {
			if f := e.fault.Load(); f != nil && f.silent {
				return 0
			}
			return e.options.Rate
		},
	}
}

// deploy brings the stack up and opens the edge of releases.
func (e *Environment) deploy(ctx context.Context, project engine.Project, client kubernetes.Interface, prometheus string) error {
	access, err := clientcmd.BuildConfigFromFlags("", e.stack.KubeconfigPath(project.Root))
	if err != nil {
		return err
	}
	access.QPS = -1
	home, err := pulumiHome(e.folder)
	if err != nil {
		return err
	}
	temporary := filepath.Join(e.folder, "tmp")
	for _, folder := range []string{temporary, filepath.Join(e.folder, "state")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	e.engine = &releasing.Engine{Options: engine.Options{
		Project: project, Config: e.stack, Backend: "file://" + filepath.Join(e.folder, "state"), Providers: "auto", Embedded: true, Progress: io.Discard,
		Environment: map[string]string{
			"PULUMI_HOME": home,
			// The provider leaves files with the kubeconfig in it.
			"TMPDIR": temporary,
			// The state goes with the environment: nothing is lost with a checkpoint.
			"PULUMI_SKIP_CHECKPOINTS": "true",
		},
	}}
	if e.cluster, err = releasing.NewCluster(access, e.engine.Update); err != nil {
		return err
	}
	if e.metrics, err = releasing.NewMetrics(prometheus, nil); err != nil {
		return err
	}
	e.store = &releasing.Store{Client: client, Namespace: e.stack.Namespace, Stack: e.stack.Stack}
	e.lease = releasing.Lease{Client: client, Namespace: e.stack.Namespace, Stack: e.stack.Stack, Holder: "rehearsal", Progress: e.options.Progress}
	e.say("stack %s is being brought up: %d services, simulated pods", e.stack.Stack, len(e.stack.Services))
	if err := e.engine.Update(ctx, nil); err != nil {
		return err
	}
	e.say("stack %s runs", e.stack.Stack)
	return nil
}

// pulumiHome makes a PULUMI_HOME in which the pulumi command neither finds plugins of
// the user's nor keeps logs: it logs every property of every resource, which costs a
// third of the time of a preview, and goes on silently where it cannot.
func pulumiHome(folder string) (string, error) {
	home := filepath.Join(folder, "pulumi")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return "", err
	}
	return home, os.WriteFile(filepath.Join(home, "logs"), nil, 0o600)
}
