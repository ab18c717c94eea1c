import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Foundation
import Synchronization
import Testing

/// Connections that break, and servers that do not do what they said.
@Suite struct HubTransferTests {
    private typealias Response = ScriptedServer.Response

    private static func isWeights(_ request: ScriptedServer.Request) -> Bool {
        request.target.hasSuffix("/model.safetensors")
    }

    /// A hub whose answers for the weights are changed.
    private func hub(
        _ change: @escaping @Sendable (ScriptedServer.Request, inout Response) -> Void
    ) throws -> HubTestHub {
        try HubTestHub { request in
            guard Self.isWeights(request) else { return nil }
            var response = HubTestHub.content(HubTestHub.weights, for: request)
            change(request, &response)
            return response
        }
    }

    /// What a pull fails with, having left nothing that looks like a finished download.
    private func failure(_ hub: HubTestHub, keeps kept: Int?) throws -> ConcordError? {
        let error = #expect(throws: ConcordError.self) { try hub.pull() }
        #expect(!Files.exists(hub.blob("model.safetensors")) && !Files.exists(hub.repositoryFolder + "/refs/main"))
        let partial = try? Files.read(hub.blob("model.safetensors") + ".incomplete")
        #expect(partial?.count == kept)
        return error
    }

    private func keep(_ bytes: some Collection<UInt8>, in hub: HubTestHub) throws {
        try Files.makeFolder(hub.repositoryFolder + "/blobs")
        try Files.replace(hub.blob("model.safetensors") + ".incomplete", with: Array(bytes))
    }

    private func ranges(_ hub: HubTestHub) -> [Int?] { hub.server.requests.filter(Self.isWeights).map(\.rangeStart) }

    private func expectWhole(_ hub: HubTestHub) throws {
        let snapshot = try hub.pull()
        #expect(try Files.read(snapshot.path + "/model.safetensors") == HubTestHub.weights)
        #expect(!Files.exists(hub.blob("model.safetensors") + ".incomplete"))
    }

    @Test func goesOnWhereAConnectionBroke() throws {
        let hub = try hub { request, response in response.sent = request.rangeStart ?? 0 < 2000 ? 1000 : response.sent }
        try expectWhole(hub)
        #expect(ranges(hub) == [nil, 1000, 2000])
    }

    @Test func theNextPullGoesOnWhereTheLastOneStopped() throws {
        let isBroken = Atomic(true)
        let hub = try hub { request, response in
            if isBroken.load(ordering: .relaxed) { response.sent = request.rangeStart == nil ? 1234 : 0 }
        }
        #expect(try failure(hub, keeps: 1234)?.code == .interruptedDownload)
        #expect(throws: ConcordError.self) { try ModelLocation.folder("ann/cat", settings: hub.settings) }
        isBroken.store(false, ordering: .relaxed)
        let progress = Mutex<[HubProgress]>([])
        _ = try hub.pull { _ in
        } progress: { step in
            progress.withLock { $0.append(step) }
        }
        #expect(progress.withLock { $0.first?.doneBefore } == 1234 + 20)
        try expectWhole(hub)
        #expect(ranges(hub) == [nil, 1234, 1234])
    }

    @Test func givesUpOnAConnectionThatKeepsBreaking() throws {
        let hub = try hub { _, response in response.sent = 100 }
        #expect(try failure(hub, keeps: 500)?.code == .interruptedDownload)
        #expect(ranges(hub) == [nil, 100, 200, 300, 400])
    }

    @Test func aRangeThatIsIgnoredStartsOver() throws {
        let hub = try hub { _, response in response = Response(body: HubTestHub.weights) }
        try keep(HubTestHub.weights.prefix(700), in: hub)
        try expectWhole(hub)
        #expect(ranges(hub) == [700])
    }

    @Test func aRangeThatIsRefusedStartsOver() throws {
        let hub = try hub { request, response in if request.rangeStart != nil { response = Response(status: 416) } }
        try keep(HubTestHub.weights.prefix(700), in: hub)
        try expectWhole(hub)
        #expect(ranges(hub) == [700, nil])
    }

    @Test func aPartThatIsTooLongStartsOver() throws {
        let hub = try HubTestHub()
        try keep(HubTestHub.weights + [1], in: hub)
        try expectWhole(hub)
        #expect(ranges(hub) == [nil])
    }

    @Test func aPartThatIsWholeNeedsNoRequest() throws {
        let hub = try HubTestHub()
        try keep(HubTestHub.weights, in: hub)
        try expectWhole(hub)
        #expect(ranges(hub) == [])
    }

    @Test func aPartOfAnotherFileIsFoundOut() throws {
        let hub = try HubTestHub()
        try keep([UInt8](repeating: 9, count: 700), in: hub)
        #expect(try failure(hub, keeps: nil)?.code == .invalidDownload)
        try expectWhole(hub)
    }

    @Test(arguments: [
        "bytes 0-4999/5000", "bytes 700-4998/5000", "bytes 700-4999/6000", "bytes 701-4999/5000", "x", "",
    ])
    func aWrongRangeIsRefused(_ range: String) throws {
        let hub = try hub { _, response in response.headers["Content-Range"] = range }
        try keep(HubTestHub.weights.prefix(700), in: hub)
        let error = try failure(hub, keeps: 700)
        #expect(error?.code == .invalidDownload && error?.message.contains("range") == true)
    }

    @Test func aWrongHashIsRefused() throws {
        let hub = try hub { _, response in response.body[4321] ^= 1 }
        let error = try failure(hub, keeps: nil)
        #expect(error?.code == .invalidDownload && error?.message.contains("SHA-256") == true)
    }

    @Test func aWrongGitHashIsRefused() throws {
        let hub = try HubTestHub { $0.target.hasSuffix("/config.json") ? .init(text: "[]") : nil }
        let error = try failure(hub, keeps: nil)
        #expect(error?.code == .invalidDownload && error?.message.contains("git blob hash") == true)
    }

    @Test(arguments: [4999, 5001])
    func anotherLengthThanAnnouncedIsRefused(_ length: Int) throws {
        let hub = try hub { _, response in
            response = Response(
                body: HubTestHub.weights.prefix(length) + [UInt8](repeating: 0, count: max(0, length - 5000)))
        }
        let error = try failure(hub, keeps: 0)
        #expect(error?.code == .invalidDownload)
        #expect(error?.message.contains("\(length) bytes where 5000") == true)
    }

    @Test func moreThanAnnouncedIsCutOff() throws {
        let hub = try hub { _, response in
            response.announced = nil
            response.end = .flood
        }
        let error = try failure(hub, keeps: nil)
        #expect(error?.code == .invalidDownload && error?.message.contains("more than the 5000") == true)
    }

    @Test func lessThanAnnouncedWithoutALengthIsNotTheFile() throws {
        let hub = try hub { _, response in response = Response(body: Array(HubTestHub.weights.prefix(900))) }
        let silent = try self.hub { _, response in
            response = Response(body: Array(HubTestHub.weights.prefix(900)))
            response.announced = nil
        }
        #expect(try failure(hub, keeps: 0)?.code == .invalidDownload)
        #expect(try failure(silent, keeps: 900)?.code == .interruptedDownload)
    }

    @Test func aCodingNobodyAskedForIsRefused() throws {
        let hub = try hub { _, response in response.headers["Content-Encoding"] = "gzip" }
        #expect(try failure(hub, keeps: 0)?.message.contains("coding") == true)
    }

    @Test func anEndlessSlowAnswerIsGivenUp() throws {
        let hub = try hub { _, response in
            response.sent = 0
            response.end = .trickle
        }
        let error = #expect(throws: ConcordError.self) {
            try hub.pull {
                $0.patience.bytesPerSecond = 100_000
                $0.patience.seconds = 1
            }
        }
        #expect(error?.code == .hub && error?.message.contains("too slow") == true)
    }
}
