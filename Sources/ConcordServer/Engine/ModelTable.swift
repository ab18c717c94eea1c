import ConcordRuntime

/// The state of a ``ModelRegistry``, which locks it.
struct ModelTable {
    struct Entry {
        let name: String
        var folder: String
        let isPinned: Bool
        /// True if the server is not ready until it is loaded.
        let isAwaited: Bool
        var state = ModelStatus.State.loading
        /// `nil` unless ready.
        var model: ServedModel?
        var manifest: ArtifactManifest
        var bytes = 0
        var lastUse = 0
        /// Seconds that the last load took.
        var seconds: Double?
        /// Problems found by the checks of its queues and its canary.
        var queueProblem, canaryProblem: String?

        var problem: String? {
            switch state {
            case .ready: queueProblem ?? canaryProblem
            case .loading: isAwaited ? "is being loaded" : nil
            case .failed: "could not be loaded"
            case .unloaded, .withdrawn: nil
            }
        }

        var status: ModelStatus {
            ModelStatus(
                name: name, state: state, reason: problem, warning: model?.warning,
                residentBytes: state == .ready ? bytes : 0, manifest: manifest,
                queuedItems: model?.queuedItems ?? 0, meanBatch: model?.meanBatch)
        }
    }

    /// The result of asking for a model.
    enum Found {
        case ready(ServedModel)
        /// It has to be loaded again, by whoever gets this.
        case unloaded(name: String, folder: String, seconds: Double?)
    }

    private(set) var entries: [Entry] = []
    var isClosing = false
    private var time = 0

    private func index(_ name: String) -> Int? { entries.firstIndex { $0.name == name } }

    subscript(name: String) -> Entry? { index(name).map { entries[$0] } }

    var residentBytes: Int { entries.reduce(0) { $0 + ($1.model == nil ? 0 : $1.bytes) } }

    /// The reasons why the server is not ready; empty if it is.
    var problems: [String] {
        if isClosing { return ["the server is stopping"] }
        if entries.isEmpty { return ["no model was loaded"] }
        return entries.compactMap { entry in entry.problem.map { "model \(entry.name): \($0)" } }
    }

    /// False where the name is taken. One that failed may be loaded again.
    mutating func add(
        name: String, folder: String, manifest: ArtifactManifest, isPinned: Bool, isAwaited: Bool
    ) -> Bool {
        if let index = index(name) {
            guard entries[index].state == .failed else { return false }
            entries[index].folder = folder
            entries[index].manifest = manifest
            entries[index].state = .loading
        } else {
            entries.append(
                Entry(name: name, folder: folder, isPinned: isPinned, isAwaited: isAwaited, manifest: manifest))
        }
        return true
    }

    /// Puts a model in place; false when it is not wanted any more.
    mutating func put(_ model: ServedModel, folder: String, bytes: Int, seconds: Double) -> Bool {
        guard !isClosing, let index = index(model.name), entries[index].state != .withdrawn else { return false }
        entries[index].model = model
        entries[index].folder = folder
        entries[index].manifest = model.manifest
        entries[index].bytes = bytes
        entries[index].seconds = seconds
        entries[index].state = .ready
        (entries[index].queueProblem, entries[index].canaryProblem) = (nil, nil)
        touch(index)
        return true
    }

    /// A model could not be loaded; where one is in use, it stays.
    mutating func fail(_ name: String) {
        guard let index = index(name), entries[index].state == .loading else { return }
        entries[index].state = .failed
    }

    /// A model will be loaded; where one is in use, it stays. Returns the folder; `nil` where there is no such model.
    mutating func begin(_ name: String) -> String? {
        guard let index = index(name) else { return nil }
        if entries[index].model == nil { entries[index].state = .loading }
        return entries[index].folder
    }

    /// Takes a model out of memory until it is loaded again, and returns it; `nil` where it was not in memory.
    mutating func withdraw(_ name: String) -> Result<ServedModel?, ServingError> {
        guard let index = index(name) else { return .failure(.noSuchModel) }
        guard entries[index].state != .loading else { return .failure(.loading(after: entries[index].seconds)) }
        defer {
            entries[index].model = nil
            entries[index].state = .withdrawn
        }
        return .success(entries[index].model)
    }

    /// Makes another folder the one that an unloaded model is loaded from.
    mutating func move(_ name: String, to folder: String, manifest: ArtifactManifest) {
        guard let index = index(name) else { return }
        (entries[index].folder, entries[index].manifest) = (folder, manifest)
    }

    /// Forgets a model, and returns it where it was in memory.
    mutating func remove(_ name: String) -> ServedModel? { index(name).flatMap { entries.remove(at: $0).model } }

    /// Puts models first, in this order.
    mutating func arrange(_ names: [String]) {
        let places = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: min)
        entries = entries.enumerated().sorted { first, second in
            (places[first.element.name] ?? .max, first.offset) < (places[second.element.name] ?? .max, second.offset)
        }.map(\.element)
    }

    mutating func use(_ name: String?) -> Result<Found, ServingError> {
        guard !isClosing else {
            return .failure(ServingError(.overloaded, "The server is stopping.", retryAfter: .seconds(1)))
        }
        guard let index = name.map(index) ?? entries.indices.first else {
            return .failure(.noSuchModel)
        }
        let entry = entries[index]
        touch(index)
        if let model = entry.model { return .success(.ready(model)) }
        switch entry.state {
        case .unloaded:
            entries[index].state = .loading
            return .success(.unloaded(name: entry.name, folder: entry.folder, seconds: entry.seconds))
        case .failed: return .failure(ServingError(.failed, "The model could not be loaded."))
        case .withdrawn: return .failure(ServingError(.unknownModel, "The model was unloaded."))
        case .loading, .ready: return .failure(.loading(after: entry.seconds))
        }
    }

    private mutating func touch(_ index: Int) {
        time += 1
        entries[index].lastUse = time
    }

    /// Takes the model that was not used for longest out of memory; `nil` when none may be.
    mutating func unloadOldest(sparing name: String) -> ServedModel? {
        let idle = entries.indices.filter { index in
            let entry = entries[index]
            return !entry.isPinned && entry.name != name && entry.model.map { $0.queuedItems == 0 } ?? false
        }
        guard let oldest = idle.min(by: { entries[$0].lastUse < entries[$1].lastUse }) else { return nil }
        defer {
            entries[oldest].model = nil
            entries[oldest].state = .unloaded
        }
        return entries[oldest].model
    }

    mutating func note(queues problem: String?, of model: ServedModel) {
        guard let index = entries.firstIndex(where: { $0.model === model }) else { return }
        entries[index].queueProblem = problem
    }

    mutating func note(canary problem: String?, of model: ServedModel) {
        guard let index = entries.firstIndex(where: { $0.model === model }) else { return }
        entries[index].canaryProblem = problem
    }
}

/// The status of a model that the server was told of.
package struct ModelStatus: Sendable, Hashable {
    package enum State: String, Sendable, Hashable {
        case loading, ready, failed
        /// Gave its memory to another model; the next request for it loads it again.
        case unloaded
        /// Taken out of memory by an administrator; it is as if there were no such model until it is loaded again.
        case withdrawn
    }

    package var name: String
    package var state: State
    /// The reason why it is not ready, or not healthy; safe for clients.
    package var reason: String?
    /// A warning that its results may be wrong on this machine; safe for clients.
    package var warning: String?
    /// The bytes of its graphs.
    package var residentBytes: Int
    /// That of the model in use, or of the one that is to be loaded.
    package var manifest: ArtifactManifest
    /// Items that wait, of images, texts and captions together.
    package var queuedItems: Int
    /// Items that a run took, on average; `nil` before the first.
    package var meanBatch: Double?
}

/// The readiness of the server.
package struct Readiness: Sendable, Hashable {
    package var isReady: Bool
    /// The reasons why it is not ready; safe for clients.
    package var reasons: [String]

    package init(isReady: Bool, reasons: [String] = []) {
        self.isReady = isReady
        self.reasons = reasons
    }
}
