import ConcordCore
import ConcordMedia
import ConcordText

extension ModelManifest {
    /// Reads the contents of a manifest, also of the first version, which knew CLIP only.
    ///
    /// Throws `.invalidConfiguration`.
    package init(_ json: JSONValue, path: String) throws(ConcordError) {
        let fields = try JSONFields(json, path: path)
        let version = try fields.formatVersion(upTo: Self.currentFormatVersion)
        try fields.refuseUnknown([
            "format_version", "architecture", "quirks", "weights_layout", "context_length", "preprocessing", "sha256",
            "training", "calibration",
        ])
        architecture = try fields.choice("architecture")
        let hasTexts = ![.imageTower, .whisperEncoder, .ast].contains(architecture)
        contextLength = hasTexts ? try fields.integer("context_length", in: 2...Int.max) : nil
        guard fields["quirks"] != nil else { throw fields.failure("quirks", "is missing") }
        let quirks = try fields.object("quirks")
        self.quirks = version == 1 ? try Quirks(version1: quirks) : try Quirks(quirks, hasTexts: hasTexts)
        weightsLayout = version == 1 ? .huggingFace : try fields.choice("weights_layout")
        preprocessing = fields["preprocessing"] == nil ? nil : try fields.fileName("preprocessing")
        hashes = try fields.fileHashes()
        if fields["training"] != nil { training = try Training(fields.object("training")) }
        if fields["calibration"] != nil { calibration = try ModalityCalibration(fields.object("calibration")) }
    }

    /// The contents of the manifest, members in a fixed order.
    package func json() -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("format_version", .integer(Self.currentFormatVersion)),
            .init("architecture", .string(architecture.rawValue)),
            .init("quirks", quirks.json),
            .init("weights_layout", .string(weightsLayout.rawValue)),
        ]
        if let contextLength { members.append(.init("context_length", .integer(contextLength))) }
        if let preprocessing { members.append(.init("preprocessing", .string(preprocessing))) }
        members.append(
            .init("sha256", .object(hashes.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })))
        if let training { members.append(.init("training", training.json)) }
        if let calibration { members.append(.init("calibration", calibration.json)) }
        return .object(members)
    }
}

extension ModelManifest.Quirks {
    fileprivate init(version1 fields: JSONFields) throws(ConcordError) {
        try fields.refuseUnknown(["activation", "pooling", "tokenizer", "crop"])
        textActivation = try fields.choice("activation") as Activation
        textPooling = .transformer(try fields.choice("pooling"))
        tokenizer = try fields.choice("tokenizer")
        crop = try fields.choice("crop")
    }

    fileprivate init(_ fields: JSONFields, hasTexts: Bool) throws(ConcordError) {
        try fields.refuseUnknown([
            "text", "vision", "tokenizer", "crop", "cleaning", "lowercases", "strips_separator",
        ])
        if hasTexts {
            guard fields["text"] != nil else { throw fields.failure("text", "is missing") }
            let text = try fields.object("text")
            try text.refuseUnknown(["activation", "pooling", "class_token_mask"])
            textActivation = try text.choice("activation") as Activation
            if let pooling = BERTConfiguration.Pooling(rawValue: try text.string("pooling")) {
                textPooling = .bert(pooling)
            } else {
                textPooling = .transformer(try text.choice("pooling"))
            }
            if text["class_token_mask"] != nil { classTokenMask = try text.choice("class_token_mask") }
        }
        if fields["vision"] != nil {
            let vision = try fields.object("vision")
            try vision.refuseUnknown(["activation", "pooling", "query_pooling"])
            if vision["query_pooling"] != nil { queryPooling = try vision.choice("query_pooling") }
            visionActivation = try vision.choice("activation")
            visionPooling = try vision.choice("pooling")
        }
        tokenizer = fields["tokenizer"] == nil ? nil : try fields.choice("tokenizer")
        crop = fields["crop"] == nil ? nil : try fields.choice("crop")
        cleaning = fields["cleaning"] == nil ? nil : try fields.choice("cleaning", among: TextCleaning.openCLIP)
        lowercases = try fields.boolean("lowercases", default: false)
        stripsSeparator = try fields.boolean("strips_separator", default: false)
    }

    fileprivate var json: JSONValue {
        func tower(_ activation: Activation, _ pooling: String, _ name: String, _ quirk: String?) -> JSONValue {
            let common: [JSONValue.Member] = [
                .init("activation", .string(activation.rawValue)), .init("pooling", .string(pooling)),
            ]
            return .object(common + (quirk.map { [.init(name, .string($0))] } ?? []))
        }
        var members = [JSONValue.Member]()
        if let textActivation, let textPooling {
            let text = tower(textActivation, textPooling.name, "class_token_mask", classTokenMask?.rawValue)
            members.append(.init("text", text))
        }
        if let visionActivation, let visionPooling {
            let vision = tower(visionActivation, visionPooling.rawValue, "query_pooling", queryPooling?.rawValue)
            members.append(.init("vision", vision))
        }
        if let tokenizer { members.append(.init("tokenizer", .string(tokenizer.rawValue))) }
        if let crop { members.append(.init("crop", .string(crop.rawValue))) }
        if let cleaning { members.append(.init("cleaning", .string(cleaning.rawValue))) }
        if lowercases { members.append(.init("lowercases", true)) }
        if stripsSeparator { members.append(.init("strips_separator", true)) }
        return .object(members)
    }
}

extension ModelManifest.Training {
    fileprivate init(_ fields: JSONFields) throws(ConcordError) {
        try fields.refuseUnknown(["recipe", "dataset", "steps", "tool", "date", "base_model"])
        self.init(
            recipe: try fields.string("recipe"), dataset: try fields.string("dataset"),
            steps: try fields.integer("steps"), tool: try fields.string("tool"), date: try fields.string("date"),
            baseModel: fields["base_model"] == nil ? nil : try fields.string("base_model"))
    }

    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("recipe", .string(recipe)), .init("dataset", .string(dataset)), .init("steps", .integer(steps)),
            .init("tool", .string(tool)), .init("date", .string(date)),
        ]
        if let baseModel { members.append(.init("base_model", .string(baseModel))) }
        return .object(members)
    }
}

/// Members that the manifests of model folders and of artifact folders share.
extension JSONFields {
    /// The value of `format_version`. Throws `.invalidConfiguration` for one later than `current`.
    package func formatVersion(upTo current: Int) throws(ConcordError) -> Int {
        let version = try integer("format_version", in: 1...Int.max)
        guard version <= current else {
            throw failure(
                "format_version", "is \(version), later than the \(current) that this version reads; update it")
        }
        return version
    }

    /// The name of a file of the manifest's folder. Throws `.invalidConfiguration` for one that could lead elsewhere.
    package func fileName(_ name: String) throws(ConcordError) -> String {
        let file = try string(name)
        guard Self.isPlain(file) else { throw failure(name, "is `\(file)`, which " + Self.notPlain) }
        return file
    }

    /// A SHA-256 in lower-case hexadecimal.
    package func sha256(_ name: String) throws(ConcordError) -> String {
        let hash = try string(name)
        guard FileHash(announced: hash)?.algorithm == .sha256 else {
            throw failure(name, "is not a SHA-256 in lower-case hexadecimal")
        }
        return hash
    }

    /// The member `sha256`: hashes of files of the folder, by name.
    package func fileHashes() throws(ConcordError) -> [String: String] {
        let fields = try object("sha256")
        return try fields.hashes { name throws(ConcordError) in try fields.sha256(name) }
    }

    /// The member `xxh128`, which older folders lack: checksums of files of the folder, by name.
    package func fileChecksums() throws(ConcordError) -> [String: String] {
        guard self["xxh128"] != nil else { return [:] }
        let fields = try object("xxh128")
        return try fields.hashes { name throws(ConcordError) in
            let hash = try fields.string(name)
            let isHexadecimal = hash.utf8.allSatisfy("0123456789abcdef".utf8.contains)
            guard hash.utf8.count == 32, isHexadecimal else {
                throw fields.failure(name, "is not an XXH128 in lower-case hexadecimal")
            }
            return hash
        }
    }

    private func hashes(_ read: (String) throws(ConcordError) -> String) throws(ConcordError) -> [String: String] {
        var hashes = [String: String]()
        for name in names {
            guard Self.isPlain(name) else { throw failure(name, Self.notPlain) }
            hashes[name] = try read(name)
        }
        return hashes
    }

    /// Whether a name stays inside its folder and is not the folder itself.
    private static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && !name.utf8.contains { $0 == 0x2F || $0 == 0x5C || $0 == 0 }
    }

    private static var notPlain: String { "is not the plain name of a file of the folder; make the folder again" }
}
