// A client in .NET against a backend in a container: dotnet add package Testcontainers, xunit
using System.Net.Http;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using DotNet.Testcontainers.Builders;
using Xunit;

public class BackendTest
{
    [Fact]
    public async Task AnExpiredCertificateIsRefusedForThatReason()
    {
        await using var gauntlet = new ContainerBuilder()
            .WithImage("gauntlet")
            .WithCommand("serve", "--bind", "0.0.0.0", "--port-base", "10000", "--control", "0.0.0.0:9000", "--open-control", "--no-files", "expired-leaf")
            .WithPortBinding(9000, true)
            .WithPortBinding(10000, true)
            .WithWaitStrategy(Wait.ForUnixContainer().UntilHttpRequestIsSucceeded(r => r.ForPort(9000).ForPath("/healthz")))
            .Build();
        await gauntlet.StartAsync();
        var control = $"http://localhost:{gauntlet.GetMappedPublicPort(9000)}";
        using var plain = new HttpClient();
        var root = X509Certificate2.CreateFromPem(await plain.GetStringAsync($"{control}/certs/ca.pem"));

        var handler = new SocketsHttpHandler();
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            CustomTrustStore = { root },
            RevocationMode = X509RevocationMode.NoCheck,
        };
        using var client = new HttpClient(handler);
        await Assert.ThrowsAsync<HttpRequestException>(
            () => client.GetAsync($"https://localhost:{gauntlet.GetMappedPublicPort(10000)}/"));
        var ledger = await plain.GetStringAsync($"{control}/ledger?backend=expired-leaf&wait_ms=5000");
        Assert.Contains("\"backend\":\"expired-leaf\"", ledger);
    }
}
