import ConcordCore
import ConcordServer
import Testing

extension TestServer {
    /// Runs an attack against a server, and expects the server to live through it: afterwards it embeds a text and
    /// captions a picture as if nothing had happened, and none of its answers was 500.
    static func attacked(
        configure: (inout ServerConfiguration) throws -> Void = { _ in },
        _ attack: (TestServer) async throws -> Void
    ) async throws {
        try await with(configure: configure) { server in
            try await attack(server)
            // A short idle timeout of a test may end a connection that waits for its answer on a busy machine.
            func withoutLoss<Value>(_ ask: () async throws -> Value) async throws -> Value {
                for _ in 0..<20 { if let answer = try? await ask() { return answer } }
                return try await ask()
            }
            #expect(try await withoutLoss { try await server.isAlive() })
            let picture = try TestPictures.png(width: 8, height: 8)
            let caption = try await withoutLoss {
                try await server.send("POST", "/generate_caption?max_tokens=2", body: picture)
            }
            #expect(caption.status == 200, "\(caption.text)")
            #expect(server.log.all.filter { $0.contains(" status=500") } == [])
        }
    }
}

/// Expects an answer that tells no path, no address, and nothing of what the server is made of.
func expectDiscreet(
    _ answer: TestResponse, _ name: String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
    guard answer.status != 200 else { return }
    let text = answer.text.lowercased()
    for word in [
        "0x", "/tmp", "/home", "/work", "/root", "/usr", "/etc", ".swift", ".onnx", "vips", "libpng", "libjpeg",
        "webp:",
        "onnx", "hummingbird", "niocore", "niohttp", "foundation", "swift", "fatal", "errno", "curl", "jsonvalue",
        "concorderror", "servingerror", "requestfailure", "optional(",
    ] {
        #expect(!text.contains(word), "\(name): \(answer.text.prefix(300))", sourceLocation: sourceLocation)
    }
}
