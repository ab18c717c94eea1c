import ConcordCore
import ConcordRuntime

/// The graphs of an artifact folder as files.
package enum GraphFiles {
    /// The file of the constants that graphs share.
    package static let sharedWeights = "weights.data"
    /// Graphs that have no more bytes of constants together keep them inside.
    private static let mostInlineBytes = 4 << 20

    /// Writes each graph as `role.onnx`. The graphs of a model that captions share the weights of the text tower and of the
    /// decoder: these are in one file, unless they are small.
    ///
    /// - Returns: the name of each graph's file.
    package static func write(
        _ models: [ArtifactManifest.GraphRole: OnnxModel], to folder: String
    ) throws(ConcordError) -> [ArtifactManifest.GraphRole: String] {
        var names: [ArtifactManifest.GraphRole: String] = [:], sharing: [(model: OnnxModel, path: String)] = []
        let sharingRoles: [ArtifactManifest.GraphRole] =
            models[.captionPrefill] == nil ? [] : [.text, .captionPrefill, .captionStep]
        let bytes = sharingRoles.reduce(0) { $0 + (models[$1]?.weightByteCount ?? 0) }
        for role in ArtifactManifest.GraphRole.allCases {
            guard let model = models[role] else { continue }
            let name = role.rawValue + ".onnx", path = folder + "/" + name
            names[role] = name
            if sharingRoles.contains(role), bytes > mostInlineBytes {
                sharing.append((model, path))
            } else {
                try model.write(to: path)
            }
        }
        if !sharing.isEmpty { try OnnxModel.write(sharing, sharedWeights: folder + "/" + sharedWeights) }
        return names
    }
}
