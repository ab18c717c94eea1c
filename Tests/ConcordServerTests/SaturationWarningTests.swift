import ConcordCore
import ConcordRuntime
import ConcordServer
import ConcordTestSupport
import Testing

/// A model of 8-bit weights on a processor that cuts off sums of their products is served, with a warning.
@Suite struct SaturationWarningTests {
    struct Case: Sendable {
        var method = "int8", bits = "8", saturates = true, warns = false
    }

    @Test(arguments: [
        Case(warns: true), Case(bits: "7"), Case(saturates: false),
        // These are made float32 before they are multiplied.
        Case(method: "int8-weights"),
    ]) func eightBitsAreWarnedOfOnce(_ test: Case) async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(
                .clip, to: folder,
                metadata: [
                    OnnxModelMetadata.quantizationMethodKey: test.method, OnnxModelMetadata.weightBitsKey: test.bits,
                ])
            try await TestServer.with(configure: {
                $0.models = [ModelArgument(name: "m", folder: folder)]
                $0.serving.productsSaturate = test.saturates
            }) { server in
                let lines = server.log.all.filter { $0.hasPrefix("model warning ") }
                #expect(lines.count == (test.warns ? 1 : 0) && lines.allSatisfy { $0.contains("model=m ") })
                let model = try await server.get("/v1/models").json["data"]?.elements?.first
                #expect(model?["id"] == "m" && model?["state"] == "ready")
                #expect((model?["warning"]?.string?.contains("no VNNI") ?? false) == test.warns)
            }
        }
    }
}
