import ConcordCore

/// The file of a model folder that says how inputs are prepared.
struct PreprocessingFile {
    let path: String
    let config: JSONValue

    /// Finds what a folder says: a member of `processor_config.json`, which transformers 5 writes and prefers, or else
    /// `preprocessor_config.json`.
    ///
    /// Throws `.fileSystem` where neither is there, `.malformedText`.
    static func find(in folder: String, member: String) throws(ConcordError) -> PreprocessingFile {
        let nested = folder + "/processor_config.json", own = folder + "/preprocessor_config.json"
        if Files.exists(nested), let config = try JSONValue(contentsOf: nested)[member] {
            return PreprocessingFile(path: nested, config: config)
        }
        guard Files.exists(own) else {
            throw ConcordError(
                .fileSystem,
                "\(folder) has no preprocessor_config.json, and no processor_config.json with "
                    + "`\(member)`; copy it from the model's repository")
        }
        return PreprocessingFile(path: own, config: try JSONValue(contentsOf: own))
    }

    /// Reads the configuration, with the path in every error.
    func read<Value>(
        _ make: (JSONValue) throws(ConcordError) -> Value
    ) throws(ConcordError) -> Value {
        do throws(ConcordError) {
            return try make(config)
        } catch {
            throw ConcordError(error.code, "\(path): \(error.message)")
        }
    }
}
