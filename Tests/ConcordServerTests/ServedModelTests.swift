import ConcordCore
import ConcordMedia
import ConcordRuntime
import ConcordServer
import ConcordTestSupport
import ConcordText
import Testing

@Suite struct ServedModelTests {
    @Test func `a vector is that of the model, alone and among others`() async throws {
        try await withTemporaryFolder { folder in
            let service = try await TinyService(.clip, folder), model = service.model
            let pictures = try (0..<20).map { try TinyService.picture($0, width: 20 + $0) }
            let texts = (0..<20).map { TinyArtifact.texts[$0 % 6] + String(repeating: " apple", count: $0 % 4) }
            let images = try pictures.map { try service.direct.embed(images: [service.prepared($0)])[0] }
            let vectors = try texts.map { try service.direct.embed(texts: [service.direct.prepare(text: $0)])[0] }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<20 {
                    group.addTask {
                        let context = WorkContext(priority: index % 2 == 0 ? .bulk : .interactive)
                        let image = try await model.embed(image: pictures[index], context)
                        expectClose(image.vector, images[index], absolute: 1e-5)
                        #expect(image.pixels == (20 + index) * 20)
                        let text = try await model.embed(text: texts[index], context)
                        expectClose(text.vector, vectors[index], absolute: 1e-5)
                        #expect(text.tokens == service.direct.prepare(text: texts[index]).ids.count)
                    }
                }
                try await group.waitForAll()
            }
            let logits = model.logits(images: images, texts: vectors)
            #expect(logits == service.direct.logits(images: images, texts: vectors))
            let figures = service.metrics.text()
            #expect(figures.contains("concord_items_total{model=\"tiny\",modality=\"image\",outcome=\"ok\"} 20\n"))
            #expect(figures.contains("concord_items_total{model=\"tiny\",modality=\"text\",outcome=\"ok\"} 20\n"))
        }
    }

    @Test func `pictures that are none, damaged or too large are the client's mistakes, and the model lives on`()
        async throws
    {
        try await withTemporaryFolder { folder in
            var options = TinyService.options
            options.imageLimits.maximumPixels = 10_000
            options.imageLimits.maximumBytes = 100_000
            let service = try await TinyService(.coca, folder, options: options), model = service.model
            let good = try TinyService.picture(1)
            for (bytes, kind) in [
                ([], .invalidInput), ([1, 2, 3], .invalidInput), (Array(good.prefix(good.count / 2)), .invalidInput),
                (try TinyService.picture(1, width: 101, height: 100), .tooLarge),
                ([UInt8](repeating: 0, count: 100_001), .tooLarge),
            ] as [([UInt8], ServingError.Kind)] {
                let embedded = await outcome { () async throws(ServingError) in
                    try await model.embed(image: bytes, parameter: "image", WorkContext()).pixels
                }
                let captioned = await outcome { () async throws(ServingError) in
                    try await model.caption(
                        image: bytes, parameter: "image", options: GenerationOptions(maxTokens: 3), WorkContext())
                }
                #expect(embedded.kind == kind)
                #expect(captioned.kind == kind)
                if kind == .invalidInput {
                    #expect(embedded.parameter == "image")
                    #expect(captioned.parameter == "image")
                }
                if case .failure(let error) = embedded {
                    #expect(!error.message.contains("/") && !error.message.lowercased().contains("vips"))
                }
            }
            for (width, height) in [(1, 1), (1, 90), (100, 100)] {
                let picture = try TinyService.picture(2, width: width, height: height)
                #expect(try await model.embed(image: picture, WorkContext()).pixels == width * height)
            }
        }
    }

    @Test func `tokens give the vector of their text, with and without the special ones`() async throws {
        try await withTemporaryFolder { folder in
            for kind in [TinyArtifact.Kind.clip, .siglip, .sentences] {
                let service = try await TinyService(kind, folder + "/\(kind)"), model = service.model
                let ids = service.direct.prepare(text: "a red apple").ids
                let expected = try await model.embed(text: "a red apple", WorkContext())
                let special = model.tokenizer.encode("")
                let bare = Array(ids.dropFirst(special.count - 1).dropLast())
                for tokens in [ids, bare] {
                    let found = try await model.embed(tokens: tokens, WorkContext())
                    #expect(found.vector == expected.vector && found.tokens == expected.tokens, "\(kind)")
                }
                let long = Array(repeating: bare[0], count: 100)
                #expect(try await model.embed(tokens: long, WorkContext()).isTruncated)
                for wrong in [[Int32(-1)], [Int32(model.tokenizer.vocabularySize)]] {
                    let refused = await outcome { () async throws(ServingError) in
                        try await model.embed(tokens: wrong, parameter: "input", WorkContext()).tokens
                    }
                    #expect(refused.kind == .invalidInput && refused.parameter == "input")
                }
            }
        }
    }

    @Test func `a long text is cut, or refused where that was not asked for`() async throws {
        try await withTemporaryFolder { folder in
            let model = try await TinyService(.sentences, folder).model
            let text = String(repeating: "a red apple ", count: 500)
            let cut = try await model.embed(text: text, WorkContext())
            #expect(cut.isTruncated && cut.tokens == model.contextLength)
            let refused = await outcome { () async throws(ServingError) in
                try await model.embed(text: text, parameter: "input", truncates: false, WorkContext()).tokens
            }
            #expect(refused.kind == .invalidInput && refused.parameter == "input")
            let image = await outcome { () async throws(ServingError) in
                try await model.embed(image: [], WorkContext()).pixels
            }
            #expect(image.kind == .unsupported)
        }
    }

    @Test func `captions are those of the model, alone, among others and streamed`() async throws {
        try await withTemporaryFolder { folder in
            let service = try await TinyService(.coca, folder), model = service.model
            let options = (0..<10).map { index in
                index % 3 == 0
                    ? GenerationOptions(strategy: .beam(width: 3), maxTokens: 6 + index, resultCount: 2)
                    : GenerationOptions(
                        strategy: index % 3 == 1 ? .greedy : .sample(seed: UInt64(index)), maxTokens: 2 + index)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<10 {
                    let picture = try TinyService.picture(index), options = options[index]
                    let prompt = index % 2 == 0 ? nil : "a red"
                    let tokens = try prompt.map { try service.direct.prepare(prompt: $0) }
                    let session = try service.direct.makeCaptionSession(for: [service.prepared(picture)])
                    let expected = try TokenGenerator(
                        session, requests: [GenerationRequest(prompt: tokens, options: options)]
                    ).run()[0]
                    group.addTask {
                        let found = try await model.caption(
                            image: picture, prompt: prompt, options: options, WorkContext())
                        #expect(found.map(\.tokens) == expected.map(\.tokens))
                        #expect(found.first?.promptTokens == tokens?.count ?? 1)
                        #expect(found.first?.pixels == 480)
                        #expect(found.first?.finishReason == expected.first?.finishReason)
                        guard options.resultCount == 1 else { return }
                        var text = "", last: ServedCaption?
                        for try await event in try await model.captionStream(
                            image: picture, prompt: prompt, options: options, WorkContext())
                        {
                            switch event {
                            case .text(let piece): text += piece
                            case .finished(let caption): last = caption
                            }
                        }
                        // A caption in another batch has the same tokens, and logits that are rounded otherwise.
                        let (streamed, whole) = (try #require(last), try #require(found.first))
                        #expect(abs(streamed.logProbability - whole.logProbability) < 1e-4)
                        #expect(streamed.tokens == whole.tokens && streamed.text == whole.text)
                        #expect(streamed.finishReason == whole.finishReason && streamed.pixels == whole.pixels)
                        #expect(text == last?.text)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func `impossible options of a caption are the client's mistakes`() async throws {
        try await withTemporaryFolder { folder in
            let model = try await TinyService(.coca, folder).model, picture = try TinyService.picture(1)
            for options in [
                GenerationOptions(maxTokens: 0), GenerationOptions(maxTokens: 1000),
                GenerationOptions(strategy: .sample(temperature: -1)),
                GenerationOptions(maxTokens: 5, stopTokens: [-3]),
            ] {
                let refused = await outcome { () async throws(ServingError) in
                    try await model.caption(image: picture, options: options, WorkContext())
                }
                #expect(refused.kind == .invalidInput && refused.parameter == nil)
            }
            let many = GenerationOptions(strategy: .beam(width: 2), maxTokens: 5, resultCount: 2)
            let refused = await outcome { () async throws(ServingError) in
                _ = try await model.captionStream(image: picture, options: many, WorkContext())
            }
            #expect(refused.kind == .invalidInput && refused.parameter == nil)
            #expect(try await model.caption(image: picture, options: many, WorkContext()).count == 2)
        }
    }

    @Test func `a picture whose vector is kept is not embedded again`() async throws {
        try await withTemporaryFolder { folder in
            var options = TinyService.options
            options.cachedEmbeddings = 10
            let service = try await TinyService(.clip, folder, options: options)
            let (one, other) = (try TinyService.picture(1), try TinyService.picture(2))
            let first = try await service.model.embed(image: one, WorkContext())
            let again = try await service.model.embed(image: one, WorkContext())
            let different = try await service.model.embed(image: other, WorkContext())
            #expect(first.vector == again.vector && first.vector != different.vector)
            #expect(first.pixels == again.pixels)
            let figures = service.metrics.text()
            #expect(figures.contains("concord_cache_total{result=\"hit\"} 1\n"))
            #expect(figures.contains("concord_cache_total{result=\"miss\"} 2\n"))
        }
    }
}
