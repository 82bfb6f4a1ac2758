package plugin_test

import (
	"context"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"golang.org/x/mod/modfile"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"nova.dev/infra/internal/plugin"
)

func serve(t *testing.T) (*plugin.Servers, map[string]string) {
	t.Helper()
	servers, err := plugin.Serve(t.Context(), plugin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := servers.Close(); err != nil {
			t.Error(err)
		}
	})
	ports := map[string]string{}
	for pair := range strings.SplitSeq(servers.Env(), ",") {
		pkg, port, _ := strings.Cut(pair, ":")
		ports[pkg] = port
	}
	return servers, ports
}

func dial(t *testing.T, port string) (pulumirpc.ResourceProviderClient, *grpc.ClientConn) {
	t.Helper()
	conn, err := grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return pulumirpc.NewResourceProviderClient(conn), conn
}

func TestServe_every_package_on_loopback_with_the_version_of_its_SDK(t *testing.T) {
	servers, ports := serve(t)
	if !regexp.MustCompile(`^random:\d+,tls:\d+,docker:\d+,aws:\d+$`).MatchString(servers.Env()) {
		t.Errorf("the variable is %s", servers.Env())
	}
	versions := sdkVersions(t)
	for pkg, port := range ports {
		client, _ := dial(t, port)
		info, err := client.GetPluginInfo(t.Context(), &emptypb.Empty{})
		if err != nil {
			t.Fatal(err)
		}
		if want, ok := versions[pkg]; ok && "v"+info.Version != want {
			t.Errorf("%s answers version %s, its SDK has %s", pkg, info.Version, want)
		}
	}
	for _, pkg := range []string{"random", "tls"} {
		if versions[pkg] == "" {
			t.Errorf("go.mod has no SDK of %s", pkg)
		}
	}
}

// sdkVersions reads from go.mod which SDK the program is built with.
func sdkVersions(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(repository + "/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, require := range mod.Require {
		if rest, ok := strings.CutPrefix(require.Mod.Path, "github.com/pulumi/pulumi-"); ok {
			pkg, _, _ := strings.Cut(rest, "/")
			versions[pkg] = require.Mod.Version
		}
	}
	return versions
}

func TestServe_gives_each_connection_its_own_provider(t *testing.T) {
	_, ports := serve(t)
	region := func(client pulumirpc.ResourceProviderClient) string {
		answer, err := client.Invoke(t.Context(), &pulumirpc.InvokeRequest{Tok: "aws:index/getRegion:getRegion"})
		if err != nil {
			t.Fatal(err)
		}
		return answer.Return.Fields["name"].GetStringValue()
	}
	configure := func(client pulumirpc.ResourceProviderClient, name string) {
		args, err := structpb.NewStruct(map[string]any{"region": name})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Configure(t.Context(), &pulumirpc.ConfigureRequest{Args: args}); err != nil {
			t.Fatal(err)
		}
	}
	one, _ := dial(t, ports["aws"])
	two, _ := dial(t, ports["aws"])
	configure(one, "eu-west-1")
	configure(two, "eu-west-2")
	if region(one) != "eu-west-1" || region(two) != "eu-west-2" {
		t.Errorf("the providers answer %s and %s", region(one), region(two))
	}
}

func TestServe_handshake_reports_the_features_of_a_provider(t *testing.T) {
	_, ports := serve(t)
	for pkg, port := range ports {
		client, _ := dial(t, port)
		answer, err := client.Handshake(t.Context(), &pulumirpc.ProviderHandshakeRequest{EngineAddress: "127.0.0.1:1"})
		if err != nil {
			t.Fatal(err)
		}
		if !answer.AcceptSecrets || !answer.AcceptOutputs || !answer.AcceptResources || !answer.SupportsAutonamingConfiguration {
			t.Errorf("%s answers %v", pkg, answer)
		}
	}
}

func TestServe_diff_names_its_paths(t *testing.T) {
	_, ports := serve(t)
	client, _ := dial(t, ports["aws"])
	olds, _ := structpb.NewStruct(map[string]any{"bucket": "a", "tags": map[string]any{"x": "1"}})
	news, _ := structpb.NewStruct(map[string]any{"bucket": "b", "tags": map[string]any{"x": "2"}})
	diff, err := client.Diff(t.Context(), &pulumirpc.DiffRequest{
		Urn: "urn:pulumi:test::test::aws:s3/bucketV2:BucketV2::media", Id: "a", OldInputs: olds, Olds: olds, News: news,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !diff.HasDetailedDiff || diff.DetailedDiff["tags.x"] == nil || strings.Join(diff.Replaces, " ") != "bucket" {
		t.Errorf("the diff is %v", diff)
	}
}

func TestClose_stops_everything_and_may_be_repeated(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	servers, err := plugin.Serve(ctx, plugin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	port := strings.Split(strings.Split(servers.Env(), ",")[0], ":")[1]
	client, _ := dial(t, port)
	if _, err := client.GetPluginInfo(ctx, &emptypb.Empty{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := servers.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

func TestClose_follows_the_end_of_the_context(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	servers, err := plugin.Serve(ctx, plugin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := servers.Close(); err != nil {
		t.Fatal(err)
	}
	port := strings.Split(strings.Split(servers.Env(), ",")[0], ":")[1]
	if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}
