import ConcordCore
import ConcordRuntime
import Synchronization

/// The models of a server, by name.
///
/// Models are loaded one at a time, because loading needs more memory than the model. They are asked for their canary
/// now and then, through the queues that requests wait in, so that being ready is something they show.
package final class ModelRegistry: Sendable {
    let options: ServingOptions
    /// The options that may change while models are served.
    private let limits: Mutex<(modelBytes: Int?, verifiesHashes: Bool)>
    let metrics: ServerMetrics
    let decoding: DecodingPool
    let loader = WorkerThreads(count: 1, name: "concord-load")
    let table = Mutex(ModelTable())
    private let monitor = Mutex<Task<Void, Never>?>(nil)

    package init(options: ServingOptions = ServingOptions(), metrics: ServerMetrics) {
        self.options = options
        limits = Mutex((options.modelBytes, options.model.verifiesHashes))
        self.metrics = metrics
        decoding = DecodingPool(options)
    }

    deinit { monitor.withLock { $0?.cancel() } }

    // MARK: - Loading

    /// Loads a model and checks its canary, which is its first run; the first model is the default.
    ///
    /// - Parameters:
    ///   - name: what requests call it; `nil` for the name in its manifest.
    ///   - folder: an artifact folder.
    ///   - isPinned: whether it keeps its memory when another model needs some.
    /// - Throws: as ``ExportedModel/init(folder:options:)``; `.invalidArgument` for a name that is taken, `.unavailable`
    ///   when the memory for models does not suffice. The texts are not for clients.
    @discardableResult
    package func load(
        name: String? = nil, folder: String, isPinned: Bool = true
    ) async throws(ConcordError) -> ServedModel {
        let name = try await announce(name: name, folder: folder, isPinned: isPinned)
        return try await load(announced: name, folder: folder)
    }

    /// Makes a model known as one that is being loaded, and returns what requests call it.
    ///
    /// Throws as `ArtifactManifest.init(folder:)`; `.invalidArgument` for a name that is taken.
    ///
    /// - Parameter isAwaited: whether the server is not ready until the model is loaded.
    func announce(
        name: String?, folder: String, isPinned: Bool = true, isAwaited: Bool = true
    ) async throws(ConcordError) -> String {
        let manifest = try await loader.run { () throws(ConcordError) in try ArtifactManifest(folder: folder) }
        let name = name ?? manifest.name
        let isNew = table.withLock {
            $0.add(name: name, folder: folder, manifest: manifest, isPinned: isPinned, isAwaited: isAwaited)
        }
        guard isNew else {
            throw ConcordError(.invalidArgument, "there is a model `\(name)` already; give this one another name")
        }
        watch()
        return name
    }

    /// Opens the model of a name's folder and puts it in place. What was there stays when that fails.
    ///
    /// - Parameter tellsFault: whether `onFault` is told when that fails; not so where the error ends the server.
    @discardableResult
    func load(
        announced name: String, folder: String, tellsFault: Bool = true
    ) async throws(ConcordError) -> ServedModel {
        let start = ContinuousClock.now
        // Kept until the lock is free: a model's end may take a while.
        let old = table.withLock { $0[name]?.model }
        do throws(ConcordError) {
            let (model, bytes) = try await loader.run { [self] () throws(ConcordError) in
                try open(folder, name: name, warmsUp: old != nil)
            }
            let served = ServedModel(
                name: name, model: model, decoding: decoding, metrics: metrics, options: options)
            let isKept = table.withLock {
                $0.put(served, folder: folder, bytes: bytes, seconds: (ContinuousClock.now - start).inSeconds)
            }
            withExtendedLifetime(old) {}
            guard isKept else {
                throw ConcordError(.cancelled, "the model `\(name)` was unloaded, or the server told to end, meanwhile")
            }
            metrics.resident(model: name, bytes: bytes)
            if let warning = served.warning { options.onWarning(name, warning) }
            return served
        } catch {
            table.withLock { $0.fail(name) }
            // Nothing is wrong with a model that nobody wants any more.
            if tellsFault, error.code != .cancelled { options.onFault(name, error) }
            throw error
        }
    }

    /// Blocks: opens a model and checks its canary.
    ///
    /// - Parameter warmsUp: runs all sizes of batches, too. A server that starts is ready sooner without, and the canary
    ///   is a run of each graph.
    private func open(
        _ folder: String, name: String, warmsUp: Bool
    ) throws(ConcordError) -> (model: ExportedModel, bytes: Int) {
        let manifest = try ArtifactManifest(folder: folder)
        let bytes = manifest.hashes.keys.reduce(0) { $0 + (Files.size(folder + "/" + $1) ?? 0) }
        try makeRoom(for: bytes, sparing: name)
        var opening = options.model
        opening.checksCanary = true
        opening.verifiesHashes = limits.withLock { $0.verifiesHashes }
        let model = try options.openModel(folder, opening)
        if warmsUp { try model.warmUp() }
        return (model, bytes)
    }

    /// Unloads models that are not pinned, the least recently used first.
    private func makeRoom(for bytes: Int, sparing name: String) throws(ConcordError) {
        guard let limit = limits.withLock({ $0.modelBytes }) else { return }
        // Dropped after the lock is free: a model's end may take a while.
        var dropped = [ServedModel]()
        let used = table.withLock { table in
            while table.residentBytes + bytes > limit, let model = table.unloadOldest(sparing: name) {
                dropped.append(model)
            }
            return table.residentBytes
        }
        for model in dropped { metrics.resident(model: model.name, bytes: nil) }
        guard used + bytes <= limit else {
            throw ConcordError(
                .unavailable,
                "the model of \(bytes) bytes does not fit beside the \(used) bytes of others into the \(limit) that "
                    + "models may take; raise the limit, or serve fewer models")
        }
    }

    /// Loads the model beside the one in use, if any, checks its canary, warms it up, and only then puts it in the
    /// other's place, which is closed when its last request ends. Throws, and leaves the other, when any of that fails.
    ///
    /// - Parameter folder: `nil` for the same folder.
    /// - Throws: as ``load(name:folder:isPinned:)``; `.invalidArgument` for a name that is not there.
    package func reload(name: String, folder: String? = nil) async throws(ConcordError) {
        guard let known = table.withLock({ $0.begin(name) }) else {
            throw ConcordError(.invalidArgument, "there is no model `\(name)`")
        }
        try await load(announced: name, folder: folder ?? known)
    }

    /// Takes a model out of memory when its last request ends, until ``reload(name:folder:)`` loads it again. One that is
    /// not in memory stays out of it.
    ///
    /// - Throws: `.unknownModel`; `.loading` while it is being loaded.
    package func unload(name: String) throws(ServingError) {
        // Dropped after the lock is free: a model's end may take a while.
        let model = try table.withLock { $0.withdraw(name) }.get()
        metrics.resident(model: name, bytes: nil)
        withExtendedLifetime(model) {}
    }

    /// Takes over what options may change while models are served: the memory that all may take, and whether files are
    /// compared with their hashes, both for models that are loaded from now on.
    func change(to options: ServingOptions) {
        limits.withLock { $0 = (options.modelBytes, options.model.verifiesHashes) }
    }

    // MARK: - Use

    /// The model of that name; the default one for nil. Throws `.unknownModel`, `.loading`, `.overloaded` or `.failed`.
    package func model(named name: String?) throws(ServingError) -> ServedModel {
        let answer = table.withLock { $0.use(name) }
        switch answer {
        case .success(.ready(let model)): return model
        case .success(.unloaded(let name, let folder, let seconds)):
            Task { [self] in _ = try? await load(announced: name, folder: folder) }
            throw .loading(after: seconds)
        case .failure(let error): throw error
        }
    }

    /// All models, in the order in which they were loaded.
    package var statuses: [ModelStatus] { table.withLock { $0.entries.map(\.status) } }

    /// Refuses new work, finishes what was accepted, and ends all threads.
    package func close() async {
        monitor.withLock { $0?.cancel() }
        let models = table.withLock { table in
            table.isClosing = true
            return table.entries.compactMap(\.model)
        }
        // Images being decoded have places in their models' queues, which wait for them.
        await withTaskGroup(of: Void.self) { group in
            for model in models { group.addTask { await model.close() } }
        }
        await decoding.close()
    }

    // MARK: - Health

    package var readiness: Readiness {
        let reasons = table.withLock { $0.problems }
        return Readiness(isReady: reasons.isEmpty, reasons: reasons)
    }

    /// Looks whether queues move, and gives up runs that are stuck.
    package func checkQueues() {
        let decodingProblem = decoding.check()
        for model in table.withLock({ $0.entries.compactMap(\.model) }) {
            let problem = model.checkQueues() ?? decodingProblem
            table.withLock { $0.note(queues: problem, of: model) }
        }
    }

    /// Asks every model for its canary.
    package func probe() async {
        for model in table.withLock({ $0.entries.compactMap(\.model) }) {
            do throws(ServingError) {
                try await model.probe()
                note(canary: nil, of: model)
            } catch {
                note(canary: error.message, of: model)
            }
        }
    }

    package func note(canary problem: String?, of model: ServedModel) {
        table.withLock { $0.note(canary: problem, of: model) }
    }

    private func watch() {
        monitor.withLock { monitor in
            guard monitor == nil else { return }
            monitor = Task { [weak self, interval = options.canaryInterval] in
                await withTaskGroup(of: Void.self) { group in
                    // Two, because a canary that is stuck is found by the queues' own look at the time.
                    group.addTask { await Self.repeatedly(every: .seconds(1)) { [weak self] in self?.checkQueues() } }
                    if let interval {
                        group.addTask { await Self.repeatedly(every: interval) { [weak self] in await self?.probe() } }
                    }
                }
            }
        }
    }

    private static func repeatedly(every interval: Duration, _ body: @Sendable () async -> Void) async {
        while (try? await Task.sleep(for: interval)) != nil { await body() }
    }
}
