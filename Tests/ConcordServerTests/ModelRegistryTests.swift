import ConcordCore
import ConcordRuntime
import ConcordServer
import ConcordTestSupport
import Foundation
import Testing

@Suite struct ModelRegistryTests {
    private func registry(_ change: (inout ServingOptions) -> Void = { _ in }) -> ModelRegistry {
        var options = TinyService.options
        change(&options)
        return ModelRegistry(options: options, metrics: ServerMetrics())
    }

    private func found(_ registry: ModelRegistry, _ name: String?) async -> Result<ServedModel, ServingError> {
        await outcome { () async throws(ServingError) in try registry.model(named: name) }
    }

    @Test func `models are found by name, and the first is the default`() async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder + "/a")
            try TinyArtifact.write(.sentences, to: folder + "/b")
            let registry = registry()
            #expect(registry.readiness == Readiness(isReady: false, reasons: ["no model was loaded"]))
            try await registry.load(folder: folder + "/a")
            try await registry.load(name: "words", folder: folder + "/b")
            #expect(try registry.model(named: nil).name == "tiny-clip")
            #expect(try registry.model(named: "words").hasImageTower == false)
            #expect(await found(registry, "other").kind == .unknownModel)
            #expect(registry.statuses.map(\.name) == ["tiny-clip", "words"])
            #expect(registry.statuses.allSatisfy { $0.state == .ready && $0.residentBytes > 0 && $0.reason == nil })
            #expect(registry.readiness.isReady)
            await #expect(throws: ConcordError.self) { try await registry.load(name: "words", folder: folder + "/a") }
            #expect(try registry.model(named: "words").hasImageTower == false)
        }
    }

    @Test func `a model that cannot be loaded makes the server not ready, and may be loaded later`() async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder + "/a")
            let good = try Files.read(folder + "/a/text.onnx")
            try Files.replace(folder + "/a/text.onnx", with: good + [0])
            let registry = registry()
            await #expect(throws: ConcordError.self) { try await registry.load(name: "m", folder: folder + "/a") }
            #expect(await found(registry, "m").kind == .failed)
            #expect(registry.readiness == Readiness(isReady: false, reasons: ["model m: could not be loaded"]))
            try Files.replace(folder + "/a/text.onnx", with: good)
            try await registry.load(name: "m", folder: folder + "/a")
            #expect(registry.readiness.isReady)
        }
    }

    @Test func `a reload puts the new model in place, and the old one goes with its last user`() async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder + "/a")
            try TinyArtifact.write(.clip, to: folder + "/b", seed: 2)
            let registry = registry()
            var old: ServedModel? = try await registry.load(name: "m", folder: folder + "/a")
            weak let gone = old
            let before = try await old?.embed(text: "an apple", WorkContext()).vector
            try await registry.reload(name: "m", folder: folder + "/b")
            let new = try registry.model(named: "m")
            #expect(new.manifest.vectorSpace != old?.manifest.vectorSpace)
            // Whoever has the old one is still served by it.
            #expect(try await old?.embed(text: "an apple", WorkContext()).vector == before)
            #expect(try await new.embed(text: "an apple", WorkContext()).vector != before)
            old = nil
            #expect(gone == nil)
            await #expect(throws: ConcordError.self) { try await registry.reload(name: "other") }
        }
    }

    @Test func `an unloaded model goes with its last user, and comes back when it is told to`() async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder + "/a")
            let (begun, continuation) = AsyncStream.makeStream(of: Void.self), gate = DispatchSemaphore(value: 0)
            let registry = registry {
                $0.openModel = { folder, options throws(ConcordError) in
                    continuation.yield()
                    gate.wait()
                    return try ExportedModel(folder: folder, options: options)
                }
            }
            var openings = begun.makeAsyncIterator()
            gate.signal()
            var old: ServedModel? = try await registry.load(name: "m", folder: folder + "/a")
            _ = await openings.next()
            weak let gone = old
            let before = try await old?.embed(text: "an apple", WorkContext()).vector
            // Also while a reload is under way, which comes to nothing then.
            let reload = Task { try await registry.reload(name: "m") }
            _ = await openings.next()
            try registry.unload(name: "m")
            gate.signal()
            let error = await #expect(throws: ConcordError.self) { try await reload.value }
            #expect(error?.code == .cancelled)
            for name in ["m", nil] { #expect(await found(registry, name).kind == .unknownModel) }
            #expect(registry.statuses.map(\.state) == [.withdrawn] && registry.statuses[0].residentBytes == 0)
            #expect(try await old?.embed(text: "an apple", WorkContext()).vector == before)
            old = nil
            #expect(gone == nil)
            gate.signal()
            try await registry.reload(name: "m")
            #expect(try await registry.model(named: "m").embed(text: "an apple", WorkContext()).vector == before)
            #expect(throws: ServingError.self) { try registry.unload(name: "other") }
        }
    }

    @Test func `a reload that fails changes nothing`() async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder + "/a")
            let other = try TinyArtifact.write(.clip, to: folder + "/b", seed: 2)
            var manifest = other.manifest
            manifest.canary.textEmbedding[0] += 0.5
            try manifest.write(folder: folder + "/b")
            let registry = registry(), model = try await registry.load(name: "m", folder: folder + "/a")
            await #expect(throws: ConcordError.self) { try await registry.reload(name: "m", folder: folder + "/b") }
            #expect(try registry.model(named: "m") === model)
            #expect(registry.readiness.isReady)
            // The folder that worked is the one that is loaded the next time.
            try await registry.reload(name: "m")
            #expect(try registry.model(named: "m").manifest == model.manifest)
        }
    }

    @Test func `models that are not pinned make room, and come back when they are asked for`() async throws {
        try await withTemporaryFolder { folder in
            for name in ["a", "b", "c"] { try TinyArtifact.write(.clip, to: folder + "/" + name) }
            let probe = registry()
            try await probe.load(folder: folder + "/a")
            let bytes = probe.statuses[0].residentBytes
            let registry = registry { $0.modelBytes = bytes * 5 / 2 }
            try await registry.load(name: "a", folder: folder + "/a")
            try await registry.load(name: "b", folder: folder + "/b", isPinned: false)
            try await registry.load(name: "c", folder: folder + "/c", isPinned: false)
            #expect(registry.statuses.map(\.state) == [.ready, .unloaded, .ready])
            #expect(registry.readiness.isReady)
            let asked = await found(registry, "b")
            #expect(asked.kind == .loading)
            #expect(asked.retryAfter != nil)
            while await found(registry, "b").kind == .loading { await Task.yield() }
            #expect(try registry.model(named: "b").name == "b")
            #expect(registry.statuses.map(\.state) == [.ready, .ready, .unloaded])
            // Pinned ones stay, so nothing can make room here.
            let small = self.registry { $0.modelBytes = bytes * 3 / 2 }
            try await small.load(name: "a", folder: folder + "/a")
            await #expect(throws: ConcordError.self) { try await small.load(name: "b", folder: folder + "/b") }
            #expect(try small.model(named: "a").name == "a")
        }
    }

    @Test func `a canary goes through the queues, and a wrong answer makes the model not ready`() async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(.coca, to: folder + "/a")
            let registry = registry(), model = try await registry.load(name: "m", folder: folder + "/a")
            await registry.probe()
            registry.checkQueues()
            #expect(registry.readiness.isReady)
            registry.note(canary: "is not well", of: model)
            #expect(registry.readiness == Readiness(isReady: false, reasons: ["model m: is not well"]))
            await registry.probe()
            #expect(registry.readiness.isReady)
        }
    }

    @Test func `closing finishes what was accepted and refuses the rest`() async throws {
        try await withTemporaryFolder { folder in
            try TinyArtifact.write(.clip, to: folder + "/a")
            let registry = registry(), model = try await registry.load(name: "m", folder: folder + "/a")
            let tasks = try (0..<30).map { index in
                let picture = try TinyService.picture(index)
                return Task {
                    await outcome { () async throws(ServingError) in
                        try await model.embed(image: picture, WorkContext()).vector
                    }
                }
            }
            _ = await tasks[0].value
            await registry.close()
            for task in tasks {
                // Those that came too late are told so; none is lost.
                let result = await task.value
                #expect(result.kind == nil || (result.kind == .overloaded && result.retryAfter != nil))
            }
            #expect(await found(registry, "m").kind == .overloaded)
            #expect(registry.readiness == Readiness(isReady: false, reasons: ["the server is stopping"]))
        }
    }
}
