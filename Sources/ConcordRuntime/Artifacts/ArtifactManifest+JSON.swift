import ConcordCheckpoint
import ConcordCore

extension ArtifactManifest {
    /// Reads the contents of a manifest.
    ///
    /// - Throws: `.invalidConfiguration` for a later version, an unknown member, a value of the wrong kind, the name of a
    ///   file with a folder in it, and graphs or a canary that do not belong together.
    package init(_ json: JSONValue, path: String) throws(ConcordError) {
        let fields = try JSONFields(json, path: path)
        _ = try fields.formatVersion(upTo: Self.currentFormatVersion)
        try fields.refuseUnknown([
            "format_version", "name", "precision", "graphs", "embedding_width", "logit_scale", "logit_bias",
            "vector_space", "report", "tool", "date", "sha256", "xxh128", "canary",
        ])
        name = try fields.string("name")
        guard !name.isEmpty else { throw fields.failure("name", "is empty") }
        precision = try fields.choice("precision")
        embeddingWidth = try fields.integer("embedding_width", in: 1...Int.max)
        logitScale = try fields.optionalNumber("logit_scale")
        logitBias = try fields.optionalNumber("logit_bias")
        vectorSpace = try fields.sha256("vector_space")
        report = fields["report"] == nil ? nil : try fields.fileName("report")
        tool = try fields.string("tool")
        date = try fields.string("date")

        let files = try fields.object("graphs")
        try files.refuseUnknown(GraphRole.allCases.map(\.rawValue))
        var graphs = [GraphRole: String]()
        for role in GraphRole.allCases where files[role.rawValue] != nil {
            graphs[role] = try files.fileName(role.rawValue)
        }
        self.graphs = graphs

        hashes = try fields.fileHashes()
        checksums = try fields.fileChecksums()
        canary = try ArtifactCanary(fields.object("canary"))
        try check(fields)
    }

    /// Reads the manifest of an artifact folder. Throws `.fileSystem`, `.malformedText`, and as ``init(_:path:)``.
    package init(folder: String) throws(ConcordError) {
        let path = folder + "/" + Self.fileName
        guard Files.exists(path) else { throw Self.absence(folder) }
        try self.init(JSONValue(contentsOf: path), path: path)
    }

    /// The error for a folder without the file.
    private static func absence(_ folder: String) -> ConcordError {
        guard Files.exists(folder) else {
            return ConcordError(.fileSystem, "there is no folder \(folder); name one that `concord export` wrote")
        }
        let isModel = ["config.json", "open_clip_config.json", "modules.json", ModelManifest.fileName].contains {
            Files.exists(folder + "/" + $0)
        }
        return ConcordError(
            .fileSystem,
            isModel
                ? "\(folder) is a model that has not been exported: run `concord export --model \(folder) --output ARTIFACT` "
                    + "and name the folder ARTIFACT"
                : "\(folder) is not an exported model: it has no \(fileName); name a folder that `concord export` wrote"
        )
    }

    /// Writes the manifest into an artifact folder, atomically. Throws `.fileSystem`.
    package func write(folder: String) throws {
        try Files.replace(folder + "/" + Self.fileName, with: json().text(pretty: true) + "\n")
    }

    /// The contents of the manifest, members in a fixed order.
    package func json() -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("format_version", .integer(Self.currentFormatVersion)), .init("name", .string(name)),
            .init("precision", .string(precision.rawValue)),
            .init(
                "graphs",
                .object(
                    GraphRole.allCases.compactMap { role in
                        graphs[role].map { .init(role.rawValue, .string($0)) }
                    })),
            .init("embedding_width", .integer(embeddingWidth)),
        ]
        if let logitScale { members.append(.init("logit_scale", .number(logitScale))) }
        if let logitBias { members.append(.init("logit_bias", .number(logitBias))) }
        members.append(.init("vector_space", .string(vectorSpace)))
        if let report { members.append(.init("report", .string(report))) }
        members += [
            .init("tool", .string(tool)), .init("date", .string(date)),
            .init("sha256", Self.object(hashes)),
        ]
        if !checksums.isEmpty { members.append(.init("xxh128", Self.object(checksums))) }
        members.append(.init("canary", canary.json))
        return .object(members)
    }

    private static func object(_ hashes: [String: String]) -> JSONValue {
        .object(hashes.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
    }

    /// Throws `.invalidConfiguration` for members that contradict each other.
    private func check(_ fields: JSONFields) throws(ConcordError) {
        guard graphs[.text] != nil else { throw fields.failure("graphs", "has no `text`, which every model needs") }
        guard (graphs[.captionPrefill] == nil) == (graphs[.captionStep] == nil) else {
            throw fields.failure("graphs", "has only one of `caption_prefill` and `caption_step`; both are needed")
        }
        guard graphs[.captionPrefill] == nil || graphs[.image] != nil else {
            throw fields.failure("graphs", "has caption graphs but no graph `image`")
        }
        guard (graphs[.image] == nil) == (logitScale == nil) else {
            throw fields.failure("logit_scale", "must be present if and only if there is a graph `image`")
        }
        for (role, name) in graphs where hashes[name] == nil {
            throw fields.failure("sha256", "lacks \(name), the graph `\(role.rawValue)`")
        }
        guard checksums.isEmpty || Set(checksums.keys) == Set(hashes.keys) else {
            throw fields.failure("xxh128", "does not list the same files as `sha256`")
        }
        guard (graphs[.image] == nil) == (canary.imageEmbedding == nil) else {
            throw fields.failure("canary", "must have `image_embedding` if and only if there is a graph `image`")
        }
        guard (graphs[.captionPrefill] == nil) == (canary.caption == nil) else {
            throw fields.failure("canary", "must have `caption` if and only if the model captions")
        }
        for vector in [canary.textEmbedding, canary.imageEmbedding].compactMap(\.self)
        where vector.count != embeddingWidth {
            throw fields.failure("canary", "has \(vector.count) values, but `embedding_width` is \(embeddingWidth)")
        }
    }
}

extension ArtifactCanary {
    fileprivate init(_ fields: JSONFields) throws(ConcordError) {
        try fields.refuseUnknown(["text", "text_embedding", "image_embedding", "caption"])
        text = try fields.string("text")
        textEmbedding = try fields.numbers("text_embedding").map { Float($0) }
        imageEmbedding =
            fields["image_embedding"] == nil ? nil : try fields.numbers("image_embedding").map { Float($0) }
        guard fields["caption"] != nil else { return }
        let ids = try fields.numbers("caption").map { Int32(exactly: $0) }
        caption = ids.compactMap(\.self)
        guard caption?.count == ids.count else { throw fields.failure("caption", "must be a list of token ids") }
    }

    fileprivate var json: JSONValue {
        func list(_ values: [Float]) -> JSONValue { .array(values.map { .number(Double($0)) }) }
        var members: [JSONValue.Member] = [.init("text", .string(text)), .init("text_embedding", list(textEmbedding))]
        if let imageEmbedding { members.append(.init("image_embedding", list(imageEmbedding))) }
        if let caption { members.append(.init("caption", .array(caption.map { .integer(Int($0)) }))) }
        return .object(members)
    }
}

extension JSONFields {
    /// A list of finite numbers.
    fileprivate func numbers(_ name: String) throws(ConcordError) -> [Double] {
        guard let value = self[name] else { throw failure(name, .missing) }
        let elements = value.elements ?? []
        let numbers = elements.compactMap(\.double)
        guard value.elements != nil, numbers.count == elements.count else {
            throw failure(name, "must be a list of numbers")
        }
        return numbers
    }
}
