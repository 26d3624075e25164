// A client in Go against a backend in a container: go get github.com/testcontainers/testcontainers-go; go test
package backend

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/docker/go-connections/nat"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

func TestAnExpiredCertificateIsRefusedForThatReason(t *testing.T) {
	ctx := context.Background()
	gauntlet, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		ContainerRequest: testcontainers.ContainerRequest{
			Image: "gauntlet",
			Cmd: strings.Fields("serve --bind 0.0.0.0 --port-base 10000 --control 0.0.0.0:9000 --open-control --no-files expired-leaf"),
			ExposedPorts: []string{"9000/tcp", "10000/tcp"},
			WaitingFor: wait.ForHTTP("/healthz").WithPort("9000/tcp"),
		},
		Started: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer gauntlet.Terminate(ctx)
	port := func(inside string) string {
		mapped, err := gauntlet.MappedPort(ctx, nat.Port(inside))
		if err != nil {
			t.Fatal(err)
		}
		return mapped.Port()
	}
	control := func(path string) string {
		answer, err := http.Get(fmt.Sprintf("http://localhost:%s%s", port("9000/tcp"), path))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		return string(body)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(control("/certs/ca.pem")))
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}

	if _, err := client.Get(fmt.Sprintf("https://localhost:%s/", port("10000/tcp"))); err == nil {
		t.Fatal("the expired certificate was accepted")
	}
	if ledger := control("/ledger?backend=expired-leaf&wait_ms=5000"); !strings.Contains(ledger, `"alert_received"`) {
		t.Fatal(ledger)
	}
}
