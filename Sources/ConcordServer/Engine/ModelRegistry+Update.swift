import ConcordCore
import ConcordRuntime
import Synchronization

extension ModelRegistry {
    /// The outcome for a model when the server reloads.
    enum Change: String, Sendable {
        case unchanged, added, replaced, removed
        /// It is as it was before; a new one is not there.
        case failed
    }

    /// A model that the configuration names, and what requests call it.
    typealias Named = (name: String, argument: ModelArgument)

    /// Serves what a configuration names: loads models that are new, loads those anew whose folder or files are other
    /// ones, beside those in use, and takes away those that are named no more. What cannot be loaded changes nothing.
    ///
    /// Models that an administrator took out of memory stay there.
    ///
    /// - Parameter earlier: what was named before. Models that came otherwise are left alone.
    /// - Returns: what is named now, and what became of each model.
    func update(
        _ earlier: [Named], to arguments: [ModelArgument]
    ) async -> (models: [Named], changes: [(name: String, change: Change)]) {
        var models: [Named] = [], changes: [(String, Change)] = []
        for argument in arguments {
            let known = earlier.first { $0.argument == argument }?.name ?? argument.name
            let (name, change) = await update(argument, known: known, taken: models.map(\.name))
            changes.append((name, change))
            // The one that is there stays, whatever became of its successor, which may be called otherwise.
            let kept = change == .failed ? earlier.first { $0.name == known || $0.name == name }?.name : name
            if let kept, !models.contains(where: { $0.name == kept }) { models.append((kept, argument)) }
        }
        for (name, _) in earlier where !models.contains(where: { $0.name == name }) {
            // Dropped after the lock is free: a model's end may take a while.
            let removed = table.withLock { $0.remove(name) }
            metrics.resident(model: name, bytes: nil)
            withExtendedLifetime(removed) {}
            changes.append((name, .removed))
        }
        table.withLock { $0.arrange(models.map(\.name)) }
        return (models, changes)
    }

    /// - Parameters:
    ///   - known: what the model was called so far; `nil` where nobody knows.
    ///   - taken: what models before it are called.
    private func update(
        _ argument: ModelArgument, known: String?, taken: [String]
    ) async -> (name: String, change: Change) {
        let folder = argument.folder
        let manifest: ArtifactManifest, stamps: [String: FileStamp]
        do throws(ConcordError) {
            (manifest, stamps) = try await loader.run { () throws(ConcordError) in
                (try ArtifactManifest(folder: folder), try ArtifactManifest.stamps(folder: folder))
            }
        } catch {
            options.onFault(known ?? folder, error)
            return (known ?? folder, .failed)
        }
        let name = argument.name ?? manifest.name
        guard !taken.contains(name) else {
            options.onFault(
                name, ConcordError(.invalidArgument, "\(folder) is a second model of this name; give it another one"))
            return (name, .failed)
        }
        // What goes wrong below is told where it happens.
        do throws(ConcordError) {
            return (name, try await update(name, folder, manifest, stamps))
        } catch {
            return (name, .failed)
        }
    }

    private func update(
        _ name: String, _ folder: String, _ manifest: ArtifactManifest, _ stamps: [String: FileStamp]
    ) async throws(ConcordError) -> Change {
        guard let entry = table.withLock({ $0[name] }) else {
            do throws(ConcordError) { _ = try await announce(name: name, folder: folder, isAwaited: false) } catch {
                options.onFault(name, error)
                throw error
            }
            do throws(ConcordError) { try await load(announced: name, folder: folder) } catch {
                _ = table.withLock { $0.remove(name) }
                throw error
            }
            return .added
        }
        switch entry.state {
        case .withdrawn: return .unchanged
        case .unloaded:
            table.withLock { $0.move(name, to: folder, manifest: manifest) }
            return entry.folder == folder ? .unchanged : .replaced
        case .loading, .failed, .ready:
            if entry.folder == folder, entry.model?.stamps == stamps { return .unchanged }
            try await reload(name: name, folder: folder)
            return .replaced
        }
    }
}
