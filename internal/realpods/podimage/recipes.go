package podimage

import (
	_ "embed" // Entry points are shell scripts.
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1"
)

//go:embed files/postgres-entrypoint.sh
var postgresEntrypoint string

//go:embed files/redis-entrypoint.sh
var redisEntrypoint string

// recipes changes what is made from the same inputs.
var recipes = "2" + postgresEntrypoint + redisEntrypoint

// maker makes images over one root file system. Layers are made once.
type maker struct {
	debian   v1.Layer
	programs map[string]string
	contract v1.Layer
	weed     v1.Layer
}

// contractPath is where the contract service lies in an image.
const contractPath = "usr/local/bin/contract-service"

func (m *maker) make(image Image) (v1.Image, error) {
	switch image.role {
	case postgres:
		return m.over(v1.Config{
			Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"postgres"}, StopSignal: "SIGINT",
			Env: []string{
				"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/15/bin",
				"LANG=C.UTF-8", "PG_MAJOR=15", "PGDATA=/var/lib/postgresql/data",
			},
			ExposedPorts: map[string]struct{}{"5432/tcp": {}},
		}, script("usr/local/bin/docker-entrypoint.sh", postgresEntrypoint),
			file{path: "var/lib/postgresql", dir: true, mode: 0o755, uid: 999},
			file{path: "var/lib/postgresql/data", dir: true, mode: 0o1777, uid: 999})
	case redis:
		return m.over(v1.Config{
			Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"redis-server"}, WorkingDir: "/data",
			ExposedPorts: map[string]struct{}{"6379/tcp": {}},
		}, script("usr/local/bin/docker-entrypoint.sh", redisEntrypoint))
	case redisExporter:
		return m.over(v1.Config{Entrypoint: []string{"/redis_exporter"}, User: "59000:59000"},
			file{path: "redis_exporter", link: "usr/bin/prometheus-redis-exporter", mode: 0o777})
	case seaweedfs:
		if m.weed == nil {
			var err error
			if m.weed, err = layerOf(program("usr/bin/weed", m.programs["weed"])); err != nil {
				return nil, err
			}
		}
		contract, err := m.contractLayer()
		if err != nil {
			return nil, err
		}
		return assemble(config(v1.Config{Entrypoint: []string{"weed"}, WorkingDir: "/data"}), m.debian, m.weed, contract)
	case postgresExporter:
		contract, err := m.contractLayer()
		if err != nil {
			return nil, err
		}
		top, err := layerOf(program("bin/postgres_exporter", m.programs["postgres_exporter"]), users)
		if err != nil {
			return nil, err
		}
		return assemble(config(v1.Config{Entrypoint: []string{"/bin/postgres_exporter"}, User: "nobody"}), contract, top)
	case service:
		return m.service(image.Service)
	case curl:
		return m.over(v1.Config{Entrypoint: []string{"curl"}})
	case standIn:
		return m.alone(v1.Config{Entrypoint: slices.Concat([]string{"/" + contractPath, "listen"}, texts(image.ports), []string{"--"}), User: "65534"})
	}
	return m.listener(image)
}

// users names the account of images without a root file system of Debian.
var users = file{path: "etc/passwd", text: "root:x:0:0::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\nnova:x:1000:1000::/:/bin/false\n", mode: 0o644}

// service is one of Nova's services, which knows its name.
func (m *maker) service(name string) (v1.Image, error) {
	return m.alone(v1.Config{Entrypoint: []string{"/" + contractPath}, User: "1000:1000", Env: []string{"CONTRACT_SERVICE=" + name}})
}

// alone is an image with nothing but the contract service.
func (m *maker) alone(c v1.Config) (v1.Image, error) {
	contract, err := m.contractLayer()
	if err != nil {
		return nil, err
	}
	top, err := layerOf(file{path: "tmp", dir: true, mode: 0o1777}, users)
	if err != nil {
		return nil, err
	}
	return assemble(config(c), contract, top)
}

func (m *maker) contractLayer() (v1.Layer, error) {
	var err error
	if m.contract == nil {
		m.contract, err = layerOf(program(contractPath, m.programs["contract-service"]))
	}
	return m.contract, err
}

// over is an image over Debian. The contract service is in it, for tests that
// connect from every pod.
func (m *maker) over(c v1.Config, files ...file) (v1.Image, error) {
	contract, err := m.contractLayer()
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return assemble(config(c), m.debian, contract)
	}
	top, err := layerOf(files...)
	if err != nil {
		return nil, err
	}
	return assemble(config(c), m.debian, contract, top)
}

func (m *maker) toolbox() (v1.Image, error) {
	return m.over(v1.Config{Cmd: []string{"/" + contractPath, "pause"}})
}

// listener is an image of a system that cannot be had: its programs do nothing,
// but that the server listens on the ports of the real one.
func (m *maker) listener(image Image) (v1.Image, error) {
	serve := fmt.Sprintf("#!/bin/sh\n# A stand-in: it only listens where the real server does.\nexec /%s listen %s -- \"$@\"\n", contractPath, strings.Join(texts(image.ports), " "))
	const nothing = "#!/bin/sh\n# A stand-in that does nothing.\nexit 0\n"
	var files []file
	var entrypoint []string
	switch image.role {
	case kafka:
		for _, tool := range []string{"storage", "topics", "configs", "acls", "broker-api-versions", "metadata-quorum"} {
			files = append(files, script("opt/kafka/bin/kafka-"+tool+".sh", nothing))
		}
		files = append(files, script("opt/kafka/bin/kafka-server-start.sh", serve))
		entrypoint = []string{"/opt/kafka/bin/kafka-server-start.sh"}
	case elasticsearch:
		files = append(files, script("usr/local/bin/docker-entrypoint.sh", serve),
			script("usr/bin/tini", "#!/bin/sh\n# The stand-in needs no init process.\n[ \"$1\" != -- ] || shift\nexec \"$@\"\n"),
			file{path: "usr/share/elasticsearch/config/jvm.options", text: "# A stand-in.\n", mode: 0o644})
		entrypoint = []string{"/bin/tini", "--", "/usr/local/bin/docker-entrypoint.sh"}
	case clickhouse:
		files = append(files, script("usr/bin/clickhouse-server", serve), script("usr/bin/clickhouse-client", nothing))
		entrypoint = []string{"/usr/bin/clickhouse-server"}
	default:
		return nil, fmt.Errorf("no recipe for the role %q", image.role)
	}
	return m.over(v1.Config{Entrypoint: entrypoint}, files...)
}

func texts(ports []int) []string {
	all := make([]string, len(ports))
	for i, port := range ports {
		all[i] = strconv.Itoa(port)
	}
	return all
}
