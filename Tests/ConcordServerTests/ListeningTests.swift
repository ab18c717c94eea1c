import ConcordCore
import ConcordServer
import ConcordTestSupport
import Foundation
import Logging
import Testing

/// Addresses that a server listens on, or cannot.
@Suite struct ListeningTests {
    private func failure(
        _ change: (inout ServerConfiguration) throws -> Void
    ) async throws -> (error: ConcordError?, log: [String]) {
        var configuration = ServerConfiguration()
        configuration.port = 0
        configuration.models = [ModelArgument(folder: try TinyModels.folder(of: .clip))]
        try change(&configuration)
        let log = LogLines()
        do {
            let server = try InferenceServer(configuration, logger: Logger(label: "test") { log.handler(label: $0) })
            try await server.run(signals: [])
        } catch let error as ConcordError {
            return (error, log.all)
        }
        return (nil, log.all)
    }

    @Test func aPortThatIsInUseIsNamedAndNoModelIsBlamed() async throws {
        try await TestServer.with([.clip], configure: { $0.metricsPort = 0 }) { server in
            let metricsPort = try #require(server.metricsPort)
            for (change, setting, port) in [
                ({ $0.port = server.port }, "port", server.port),
                ({ $0.metricsPort = metricsPort }, "metrics_port", metricsPort),
            ] as [((inout ServerConfiguration) -> Void, String, Int)] {
                for _ in 0..<5 {
                    let (error, log) = try await failure(change)
                    #expect(error?.code == .unavailable)
                    #expect(
                        error?.message == "cannot listen on 127.0.0.1:\(port): another program listens there; end that "
                            + "one, or set \(setting) to another number (0 takes a free one)")
                    // Nothing else is said.
                    #expect(log == [])
                }
            }
        }
    }

    @Test func addressesThatAreNotThereAreNamed() async throws {
        try await withTemporaryFolder { folder in
            try Files.replace(folder + "/keys.json", with: "[]")
            for (host, text) in [
                ("192.0.2.1", "cannot listen on 192.0.2.1:8099: it is no address of this machine"),
                ("2001:db8::1", "cannot listen on [2001:db8::1]:8099: it is no address of this machine"),
                ("no-such-host.invalid", "cannot listen on no-such-host.invalid:8099: there is no host of this name"),
            ] {
                let (error, _) = try await failure {
                    ($0.host, $0.port, $0.keys) = (host, 8099, folder + "/keys.json")
                }
                #expect(
                    error?.code == .unavailable && error?.message.hasPrefix(text) == true, "\(error?.message ?? "")")
            }
        }
    }

    @Test func onePortIsNotEnoughForTwo() async throws {
        let (error, _) = try await failure { ($0.port, $0.metricsPort) = (8099, 8099) }
        #expect(error?.code == .invalidConfiguration && error?.message.contains("both 8099") == true)
    }

    @Test(arguments: ["::1", "[::1]"]) func addressesOfIPv6HaveBrackets(_ host: String) async throws {
        var configuration = ServerConfiguration()
        try configuration.read(yaml: "host: \"\(host)\"\nport: 0", source: "server.yaml")
        #expect(configuration.host == "::1")
        configuration.models = [ModelArgument(folder: try TinyModels.folder(of: .clip))]
        let server = try InferenceServer(configuration, logger: Logger(label: "test") { LogLines().handler(label: $0) })
        try await server.run(
            signals: [],
            onReady: { report in
                #expect(report.url == "http://[::1]:\(report.port)" && report.port > 0)
                await server.stop()
            })
    }

    /// Only the machine itself reaches these, so no key is asked for.
    @Test(arguments: ["127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1", "localhost"])
    func loopbackNeedsNoKeys(_ host: String) throws {
        var configuration = ServerConfiguration()
        configuration.models = [ModelArgument(folder: "x")]
        configuration.host = host
        try configuration.validate()
    }

    @Test(arguments: ["0.0.0.0", "::", "127.0.0.1.example.com", "10.0.0.1", "::ffff:127.0.0.1", "127.1"])
    func othersNeedKeys(_ host: String) {
        var configuration = ServerConfiguration()
        configuration.models = [ModelArgument(folder: "x")]
        configuration.host = host
        #expect(throws: ConcordError.self) { try configuration.validate() }
    }
}
