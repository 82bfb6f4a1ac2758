package workload

import (
	_ "embed" // The start is a shell script.
	"fmt"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
)

//go:embed scripts/elasticsearch_start.sh
var elasticsearchStart string

// elasticsearch runs one node of Elasticsearch. search takes a URL alone, with
// neither user nor password, so security is off and who may connect is left to
// network policies. What it holds can be rebuilt from PostgreSQL.
func elasticsearch(s *stack.Stack, w *Workload) *Workload {
	w.start(elasticsearchStart)
	w.Files[settingsPath+"/elasticsearch.yml"] = yamlFile(map[string]any{
		"cluster.name":   "nova",
		"discovery.type": "single-node",
		"network.host":   "0.0.0.0",
		"http.port":      elasticsearchPort,
		"path.data":      w.Volume.Path,
		// Mapping files into memory needs vm.max_map_count on the node, which
		// only a privileged container could set.
		"node.store.allow_mmap":  false,
		"xpack.security.enabled": false,
		// Downloads databases from the internet.
		"ingest.geoip.downloader.enabled": false,
	})
	heap := share(s.Dependencies.Elasticsearch.Resources.Limits.Memory, 2)
	w.Env = texts(map[string]string{
		// The other half of the memory caches the index. By default the garbage
		// collector logs to 2 GB of files, and a heap that overflows is dumped
		// beside the data.
		"ES_JAVA_OPTS": fmt.Sprintf("-Xms%dm -Xmx%dm -Xlog:disable -Xlog:all=warning:stderr:utctime,level,tags -XX:-HeapDumpOnOutOfMemoryError", heap, heap),
		"ES_PATH_CONF": elasticsearchSettings,
	})
	w.Scratch = append(w.Scratch, elasticsearchSettings, "/usr/share/elasticsearch/logs")
	w.Ports = []Port{{Name: "http", Number: elasticsearchPort}}
	// Any question is answered with 200, also by a red cluster; one that waits
	// for a status in vain is answered with 408.
	const health = "/_cluster/health?wait_for_status=yellow&timeout=3s"
	ready := Check{
		Command: shell(fmt.Sprintf("curl -fsS -o /dev/null 'http://127.0.0.1:%d%s'", elasticsearchPort, health)),
		Path:    health, Port: elasticsearchPort,
	}
	live := Check{
		Command: shell(fmt.Sprintf("curl -sS -o /dev/null http://127.0.0.1:%d/", elasticsearchPort)),
		Port:    elasticsearchPort,
	}
	w.checks(ready, live)
	w.GraceSeconds = 120
	return nil
}

// elasticsearchSettings is a copy of the image's settings: Elasticsearch makes
// its keystore beside them.
const elasticsearchSettings = "/run/elasticsearch"

var elasticsearchPort = catalog.FindStore(catalog.Elasticsearch).Port
