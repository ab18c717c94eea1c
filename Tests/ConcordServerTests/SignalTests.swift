import ConcordServer
import ConcordTestSupport
import Foundation
import Testing

/// What signals do, in processes of their own.
@Suite struct SignalTests {
    private static func waitForLine(_ server: TestServer, _ text: String) async {
        while !server.log.all.contains(where: { $0.contains(text) }) { await Task.yield() }
    }

    @Test func hangUpReloadsAndOthersDoNothing() async {
        await #expect(processExitsWith: .success) {
            try await TestServer.with([.clip], handlesSignals: true) { server in
                for (signal, name) in [(SIGUSR1, "SIGUSR1"), (SIGUSR2, "SIGUSR2")] {
                    kill(getpid(), signal)
                    await Self.waitForLine(server, "ignored a signal signal=\(name)")
                }
                let lines = await server.reloaded { kill(getpid(), SIGHUP) }
                #expect(lines.last == "reloaded models_unchanged=tiny-clip", "\(lines)")
                let isAlive = try await server.isAlive()
                #expect(isAlive)
            }
        }
    }

    @Test func aServerThatIsToldToEndTwiceAnswersWhatItAccepted() async {
        await #expect(processExitsWith: .success) {
            for signal in [SIGTERM, SIGQUIT, SIGINT] {
                try await TestServer.with(
                    [.clip], handlesSignals: true, configure: { $0.drainDelay = .milliseconds(200) }
                ) { server in
                    kill(getpid(), signal)
                    await Self.waitForLine(server, "stopping once all accepted requests are answered")
                    // Supervisors may say it twice, and may say anything else.
                    for signal in [SIGTERM, SIGHUP, SIGUSR1] { kill(getpid(), signal) }
                    await Self.waitForLine(server, "signal=SIGUSR1")
                    #expect(!server.log.all.contains { $0.contains("stopping at once") })
                }
            }
        }
    }

    @Test(arguments: [SIGINT, SIGQUIT]) func anInterruptAfterThatEndsAtOnce(_ signal: Int32) async {
        await #expect(processExitsWith: .success) { [signal] in
            try await TestServer.with([.clip], handlesSignals: true, configure: { $0.drainDelay = .seconds(86400) }) {
                server in
                kill(getpid(), SIGTERM)
                await Self.waitForLine(server, "stopping once all accepted requests are answered")
                kill(getpid(), signal)
                await Self.waitForLine(server, "stopping at once")
            }
        }
    }
}
