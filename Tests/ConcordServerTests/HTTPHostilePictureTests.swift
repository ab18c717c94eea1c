import ConcordCore
import ConcordMedia
import ConcordServer
import ConcordTestSupport
import Testing

/// Pictures of every make, and those that cost far more than their bytes: each is answered, and harms nobody.
@Suite struct HTTPHostilePictureTests {
    private func expect(_ status: Int, _ server: TestServer, _ name: String, _ bytes: [UInt8]) async throws {
        let answer = try await server.send("POST", "/generate_caption?max_tokens=2", body: bytes)
        #expect(answer.status == status, "\(name): \(answer.text)")
        expectDiscreet(answer, name)
        let uri = JSONValue.string(TestPictures.dataURI(bytes))
        let vector = try await server.post("/v1/embeddings", ["input": [["image": uri]]])
        expectDiscreet(vector, name)
        // The routes have shapes of their own for the same refusal.
        #expect(vector.status == (status == 422 ? 400 : status), "\(name): \(vector.text)")
    }

    /// CMYK, 16 bits, palettes, alpha, interlaced and progressive ones, all orientations, animations.
    @Test func picturesOfThePeersAreAnswered() async throws {
        let pictures = try TestPictures.ofPeers
        #expect(pictures.count > 50)
        try await TestServer.attacked { server in
            for (name, bytes) in pictures {
                let isTIFF = name.contains(".tif")
                try await expect(isTIFF ? 422 : 200, server, name, bytes)
            }
        }
    }

    @Test func formatsThatAreNotNamedAreRefused() async throws {
        // A BMP of 20 × 16 pixels, 24 bits each, and a TIFF.
        let head: [UInt8] = [54, 0, 0, 0, 40, 0, 0, 0, 20, 0, 0, 0, 16, 0, 0, 0, 1, 0, 24, 0]
        let bmp =
            Array("BM".utf8) + [UInt8](repeating: 0, count: 8) + head + [UInt8](repeating: 0, count: 24)
            + [UInt8](repeating: 7, count: 960)
        let tiff = try #require(try TestPictures.ofPeers.first { $0.name == "tiff-lzw.tif" }).bytes
        try await TestServer.attacked { server in
            for (name, bytes) in [("BMP", bmp), ("TIFF", tiff)] {
                try await expect(422, server, name, bytes)
                let answer = try await server.send("POST", "/generate_caption?max_tokens=2", body: bytes)
                #expect(answer.text.contains("format \(name)") && answer.text.contains("JPEG, PNG, WebP, GIF"))
            }
        }
        try await TestServer.with(configure: { $0.serving.imageLimits.formats = [.jpeg, .bmp] }) { server in
            try await expect(200, server, "BMP", bmp)
            try await expect(422, server, "TIFF", tiff)
            try await expect(422, server, "PNG", try TestPictures.png())
            try await expect(422, server, "half of a BMP", Array(bmp.prefix(500)))
        }
    }

    @Test func animationsShowTheirFirstFrame() async throws {
        let rows = TestPictures.zeros(8 * (8 * 3 + 1))
        try await TestServer.attacked { server in
            let png = TestPictures.png(
                width: 8, height: 8, data: rows, extra: TestPictures.animationChunks(frames: 10_000))
            try await expect(200, server, "PNG", png)
            let webp = TestPictures.animatedWebP(frames: 10_000)
            try await expect(200, server, "WebP", webp)
        }
    }

    @Test func canvasesThatAreTooLargeAreRefused() async throws {
        // A canvas of 20,000² pixels, and frames of one or of as many.
        func gif(_ frames: [[UInt8]]) -> [UInt8] {
            let head = Array("GIF89a".utf8) + [0x20, 0x4E, 0x20, 0x4E, 0x80, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF]
            return head + frames.flatMap { [0x2C, 0, 0, 0, 0] + $0 + $0 + [0, 2, 2, 0x44, 1, 0] } + [0x3B]
        }
        try await TestServer.attacked { server in
            // Where only the canvas is so large, it is not believed.
            try await expect(200, server, "small frame", gif([[1, 0]]))
            try await expect(413, server, "large frame", gif([[0x20, 0x4E]]))
            // Later frames are never looked at.
            try await expect(200, server, "large second frame", gif([[1, 0], [0x20, 0x4E]]))
            let webp = TestPictures.animatedWebP(frames: 1, canvas: 16_000)
            try await expect(413, server, "WebP", webp)
        }
    }

    /// The shorter edge is resized to what the model takes: the longer one must not become billions of pixels.
    @Test func sliversAreCropped() async throws {
        var pictures: [(String, [UInt8])] = []
        for (width, height) in [(1, 65_000), (65_000, 1)] {
            let image = TestPictures.image(width: width, height: height)
            pictures.append(("JPEG \(width)×\(height)", try image.encoded(as: .jpeg(quality: 80))))
            pictures.append(("PNG \(width)×\(height)", try image.encoded(as: .png)))
        }
        try await TestServer.attacked { server in
            for (name, bytes) in pictures { try await expect(200, server, name, bytes) }
            let longest = TestPictures.png(
                width: 1, height: 1_000_000, depth: 1, colour: 0, data: TestPictures.zeros(2_000_000))
            try await expect(200, server, "PNG 1×1,000,000", longest)
        }
    }

    /// A picture is decoded once for each of its scans, and a scan has eleven bytes.
    @Test func bombsOfScansAreRefused() async throws {
        try await TestServer.attacked { server in
            let ordinary = TestPictures.progressiveJPEG(refinements: 1)
            try await expect(200, server, "64 scans", ordinary)
            let fine = TestPictures.progressiveJPEG(refinements: 2)
            try await expect(422, server, "127 scans", fine)
            let endless = TestPictures.progressiveJPEG(refinements: 1, repeats: 50_000)
            try await expect(422, server, "50,064 scans", endless)
            let answer = try await server.send("POST", "/generate_caption", body: endless)
            #expect(answer.text.contains("more than 100 scans"), "\(answer.text)")
        }
    }

    @Test func orientationsThatAreNone() async throws {
        let jpeg = try TestPictures.image(width: 24, height: 10).encoded(as: .jpeg(quality: 90))
        try await TestServer.attacked { server in
            for value: UInt16 in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 255, 65_535] {
                let picture = TestPictures.withOrientation(value, in: jpeg)
                try await expect(200, server, "orientation \(value)", picture)
            }
            // Directories that lead to themselves, and out of the file.
            for next: UInt32 in [8, 0x7FFF_FFFF, 0xFFFF_FFFF] {
                let picture = TestPictures.withOrientation(6, next: next, in: jpeg)
                try await expect(200, server, "next directory \(next)", picture)
            }
        }
    }

    /// What is remembered of one picture is never another's: equal bytes in another shape, equal edges.
    @Test func picturesThatAreAlikeHaveTheirOwnVectors() async throws {
        let pixels = (0..<16 * 24 * 3).map { UInt8(truncatingIfNeeded: $0 * 11) }
        let pictures =
            try [(16, 24), (24, 16)].map { width, height in
                try Image(width: width, height: height, pixels: pixels).encoded(as: .png)
            } + [
                try TestPictures.png(width: 16, height: 24, seed: 3),
                try TestPictures.png(width: 24, height: 24, seed: 3),
            ]
        try await TestServer.attacked(configure: { $0.serving.cachedEmbeddings = 100 }) { server in
            func vectors(_ pictures: [[UInt8]]) async throws -> [JSONValue] {
                var vectors: [JSONValue] = []
                for picture in pictures {
                    let uri = JSONValue.string(TestPictures.dataURI(picture))
                    let answer = try await server.post("/v1/embeddings", ["input": uri])
                    vectors.append(try #require(answer.json["data"]?.elements?.first?["embedding"]))
                }
                return vectors
            }
            let first = try await vectors(pictures)
            #expect(Set(first).count == pictures.count)
            #expect(try await vectors(pictures.reversed()) == first.reversed())
        }
    }
}
