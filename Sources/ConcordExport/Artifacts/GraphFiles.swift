import ConcordCore
import ConcordONNX
import ConcordRuntime

/// The graphs of an artifact folder as files.
enum GraphFiles {
    /// The file of the graphs' constants.
    static let weights = "weights.data"
    /// Constants that have no more bytes than this together stay in the graphs' own files.
    static let mostInlineBytes = 4 << 20

    /// Writes each graph as `role.onnx`, and the constants of all as one file beside them, unless they are small.
    ///
    /// Towers that several graphs of a model run are there once. ONNX Runtime takes such constants one by one, which makes
    /// loading faster, and needs less memory, than parsing all of them out of a graph's own file.
    ///
    /// - Returns: the name of each graph's file.
    static func write(
        _ models: [ArtifactManifest.GraphRole: OnnxModel], to folder: String
    ) throws(ConcordError) -> [ArtifactManifest.GraphRole: String] {
        var names: [ArtifactManifest.GraphRole: String] = [:], files: [(model: OnnxModel, path: String)] = []
        for role in ArtifactManifest.GraphRole.allCases {
            guard let model = models[role] else { continue }
            let name = role.rawValue + ".onnx"
            names[role] = name
            files.append((model, folder + "/" + name))
        }
        if files.reduce(0, { $0 + $1.model.weightByteCount }) > mostInlineBytes {
            try OnnxModel.write(files, sharedWeights: folder + "/" + weights)
        } else {
            for file in files { try file.model.write(to: file.path) }
        }
        return names
    }
}
