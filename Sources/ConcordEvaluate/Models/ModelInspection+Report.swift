import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordText
import Foundation

extension ModelInspection {
    /// All that is known, as one JSON object.
    ///
    /// - Parameter listingTensors: whether to add name, dtype, shape and file of every tensor.
    package func json(listingTensors: Bool = false) -> JSONValue {
        let manifest = folder.manifest
        let kind = folder.architecture.configuration.kind.rawValue
        let total = parameterCounts.map(\.count).reduce(0, +)
        var members: [JSONValue.Member] = [
            .init("model", .string(folder.path)),
            .init("architecture", .string(kind)),
            .init("layout", .string(folder.layout.family.rawValue)),
            .init("written_by_concord", .bool(manifest != nil)),
            .init(
                "parameters",
                .object([.init("total", .integer(total))] + parameterCounts.map { .init($0.part, .integer($0.count)) })),
            .init("dtypes", .object(dtypes.map { .init($0.name, .integer($0.count)) })),
            .init("files", .array(files)),
        ]
        if let width = folder.architecture.configuration.projectedWidth {
            members.append(.init("projection_width", .integer(width)))
        }
        if logits != nil { members.append(.init("logits", logitsJSON)) }
        if let vision = folder.architecture.vision {
            members.append(.init("vision", .object(Self.members(of: vision))))
        }
        if let audio = folder.architecture.audio {
            members.append(.init("audio", .object(Self.members(of: audio))))
        }
        if let decoder = folder.architecture.decoder {
            members.append(.init("decoder", .object(Self.members(of: decoder))))
        }
        if let text = folder.text { members.append(.init("text", .object(Self.members(of: text)))) }
        if let tokenizer { members.append(.init("tokenizer", .object(Self.members(of: tokenizer)))) }
        if let preprocessing { members.append(.init("preprocessing", .object(Self.members(of: preprocessing)))) }
        if let audioPreprocessing {
            members.append(.init("audio_preprocessing", .object(Self.members(of: audioPreprocessing))))
        }
        if let training = manifest?.json()["training"] { members.append(.init("training", training)) }
        members.append(.init("notes", .array(notes.map(JSONValue.string))))
        members.append(.init("verified", .bool(isVerified)))
        if listingTensors { members.append(.init("tensors", .array(tensors))) }
        return .object(members)
    }

    /// All that is known, a line for each value.
    package func text(listingTensors: Bool = false) -> String {
        // Notes are the caller's to show.
        let members = (json().members ?? []).filter { $0.name != "notes" && $0.name != "verified" }
        var lines = Self.lines(members, indent: "")
        if isVerified { lines.append("all weights and hashes are verified") }
        if listingTensors {
            let width = checkpoint.tensors.map(\.name.count).max() ?? 0
            lines.append("tensors")
            lines += checkpoint.tensors.map { tensor in
                "  \(Self.padded(tensor.name, width))  \(Self.padded(tensor.entry.dtype.rawValue, 8))  "
                    + "\(tensor.entry.shape)"
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// Members of an object as lines; objects within are indented below their name.
    private static func lines(_ members: [JSONValue.Member], indent: String) -> [String] {
        let members = members.filter { !$0.value.isNull }
        let width = members.filter { $0.value.members == nil }.map(\.name.count).max() ?? 0
        return members.flatMap { member -> [String] in
            let name = member.name.replacingOccurrences(of: "_", with: " ")
            if let inner = member.value.members { return [indent + name] + lines(inner, indent: indent + "  ") }
            if let elements = member.value.elements, elements.contains(where: { $0.members != nil }) {
                return [indent + name]
                    + elements.map {
                        indent + "  " + ($0.members ?? []).map { shown($0.value) }.joined(separator: "  ")
                    }
            }
            return [indent + padded(name, width) + "  " + shown(member.value)]
        }
    }

    private static func shown(_ value: JSONValue) -> String {
        switch value {
        case .string(let text): text.contains("\n") ? "(\(text.split(separator: "\n").count) lines)" : text
        case .integer(let number): grouped(number)
        case .bool(let flag): flag ? "yes" : "no"
        default: value.text()
        }
    }

    /// Digits in groups of three from five digits on: `151 277 313`.
    private static func grouped(_ number: Int) -> String {
        let digits = Array(String(number))
        guard digits.count > 4 else { return String(digits) }
        return String(
            digits.enumerated().flatMap { index, digit in
                index > 0 && (digits.count - index).isMultiple(of: 3) ? ["\u{202F}", digit] : [digit]
            })
    }

    /// Scalars by type; those of types that nobody reads by the files' own names.
    private var dtypes: [(name: String, count: Int)] {
        let readable = DType.allCases.compactMap { dtype -> (String, Int)? in
            let count = checkpoint.tensors.filter { $0.entry.dtype == dtype }
                .reduce(0) { $0 + $1.entry.shape.reduce(1, *) }
            return count > 0 ? (dtype.rawValue, count) : nil
        }
        let unreadable = Dictionary(grouping: checkpoint.files.flatMap(\.unreadable), by: \.dtypeName)
            .mapValues { $0.reduce(0) { $0 + $1.shape.reduce(1, &*) } }
        return readable + unreadable.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private var files: [JSONValue] {
        let weights = checkpoint.files.map(\.file.path)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let known = ModelManifest.fileName
        let others = names.sorted().map { folder.path + "/" + $0 }.filter { path in
            !weights.contains(path)
                && (path.hasSuffix("config.json") || path.hasSuffix("modules.json") || path.hasSuffix(known)
                    || TokenizerFiles.known.contains { path.hasSuffix("/" + $0) })
        }
        return (weights + others).map { path in
            // Through the links of a hub's cache.
            let size = Files.size(path) ?? 0
            let name = path.hasPrefix(folder.path + "/") ? String(path.dropFirst(folder.path.count + 1)) : path
            return ["name": .string(name), "bytes": .integer(size)]
        }
    }

    private var tensors: [JSONValue] {
        checkpoint.tensors.map { tensor in
            [
                "name": .string(tensor.name), "dtype": .string(tensor.entry.dtype.rawValue),
                "shape": .array(tensor.entry.shape.map(JSONValue.integer)),
                "file": .string(String(tensor.file.file.path.split(separator: "/").last ?? "")),
            ]
        }
    }

    private var logitsJSON: JSONValue {
        guard let logits else { return .null }
        return ["scale": .number(logits.scale), "bias": logits.bias.map(JSONValue.number) ?? .null]
    }
}

extension ModelInspection {
    private static func members(of vision: VisionTransformerConfiguration) -> [JSONValue.Member] {
        [
            .init("image_size", .integer(vision.imageSize)), .init("patch_size", .integer(vision.patchSize)),
            .init("width", .integer(vision.width)), .init("layers", .integer(vision.layers)),
            .init("heads", .integer(vision.heads)), .init("intermediate_width", .integer(vision.intermediateWidth)),
            .init("activation", .string(vision.activation.rawValue)),
            .init("layer_norm_epsilon", .number(vision.layerNormEpsilon)),
            .init("pooling", .string(vision.pooling.rawValue)),
            .init("norm_after_pooling", .bool(vision.normalizesAfterPooling)),
            .init("class_token", .bool(vision.hasClassToken)), .init("patch_bias", .bool(vision.hasPatchBias)),
            .init("pre_norm", .bool(vision.hasPreNorm)), .init("fixed_positions", .bool(vision.hasFixedPositions)),
            .init("layer_scale", vision.layerScale.map(JSONValue.number) ?? .null),
            .init("projection", .bool(vision.hasProjection)),
        ] + (vision.queryPooling.map(members(of:)) ?? [])
    }

    private static func members(of tower: AudioTowerConfiguration) -> [JSONValue.Member] {
        func list(_ values: [Int]) -> JSONValue { .array(values.map(JSONValue.integer)) }
        switch tower {
        case .htsat(let audio):
            return [
                .init("kind", "htsat"), .init("bins", .integer(audio.bins)),
                .init("picture_size", .integer(audio.pictureSize)), .init("patch_size", .integer(audio.patchSize)),
                .init("patch_stride", .integer(audio.patchStride)), .init("window_size", .integer(audio.windowSize)),
                .init("width", .integer(audio.width)), .init("depths", list(audio.depths)),
                .init("heads", list(audio.heads)), .init("perceptron_ratio", .number(audio.perceptronRatio)),
                .init("activation", .string(audio.activation.rawValue)),
                .init("layer_norm_epsilon", .number(audio.layerNormEpsilon)),
                .init("fuses_long_clips", .bool(audio.fusesLongClips)),
            ]
        case .whisper(let audio):
            return [
                .init("kind", "whisper"), .init("bins", .integer(audio.bins)),
                .init("frames", .integer(2 * audio.positions)), .init("width", .integer(audio.width)),
                .init("layers", .integer(audio.layers)), .init("heads", .integer(audio.heads)),
                .init("intermediate_width", .integer(audio.intermediateWidth)),
                .init("activation", .string(audio.activation.rawValue)),
            ]
        case .speech(let audio):
            return [
                .init("kind", "speech"), .init("bins", .integer(audio.bins)),
                .init("channels", .integer(audio.channels)),
                .init("convolutions", .integer(audio.convolutions)), .init("positions", .integer(audio.positions)),
                .init("width", .integer(audio.width)), .init("layers", .integer(audio.layers)),
                .init("heads", .integer(audio.heads)), .init("intermediate_width", .integer(audio.intermediateWidth)),
                .init("activation", .string(audio.activation.rawValue)),
            ]
        case .ast(let audio):
            return [
                .init("kind", "ast"), .init("bins", .integer(audio.bins)), .init("frames", .integer(audio.frames)),
                .init("patch_size", .integer(audio.patchSize)), .init("width", .integer(audio.width)),
                .init("layers", .integer(audio.layers)), .init("heads", .integer(audio.heads)),
                .init("intermediate_width", .integer(audio.intermediateWidth)),
                .init("activation", .string(audio.activation.rawValue)),
                .init("layer_norm_epsilon", .number(audio.layerNormEpsilon)),
            ]
        }
    }

    private static func members(of pooling: QueryPoolingConfiguration) -> [JSONValue.Member] {
        [
            .init("query_pooling", .string(pooling.layout.rawValue)), .init("queries", .integer(pooling.queries)),
            .init("pooler_width", .integer(pooling.width)), .init("pooler_heads", .integer(pooling.heads)),
        ]
    }

    private static func members(of decoder: CaptionDecoderConfiguration) -> [JSONValue.Member] {
        [
            .init("width", .integer(decoder.width)), .init("layers", .integer(decoder.layers)),
            .init("heads", .integer(decoder.heads)), .init("intermediate_width", .integer(decoder.intermediateWidth)),
            .init("activation", .string(decoder.activation.rawValue)),
            .init("layer_norm_epsilon", .number(decoder.layerNormEpsilon)),
            .init("layer_scale", decoder.layerScale.map(JSONValue.number) ?? .null),
            .init("tied_language_head", .bool(decoder.tiesLanguageHead)),
        ]
    }

    private static func members(of tower: TextTowerConfiguration) -> [JSONValue.Member] {
        var members: [JSONValue.Member] = [
            .init("context_length", .integer(tower.contextLength)),
            .init("vocabulary_size", .integer(tower.vocabularySize)), .init("width", .integer(tower.width)),
        ]
        switch tower {
        case .transformer(let text):
            members.insert(.init("kind", "transformer"), at: 0)
            members += [
                .init("layers", .integer(text.layers)), .init("heads", .integer(text.heads)),
                .init("intermediate_width", .integer(text.intermediateWidth)),
                .init("activation", .string(text.activation.rawValue)),
                .init("layer_norm_epsilon", .number(text.layerNormEpsilon)),
                .init("pooling", .string(text.pooling.rawValue)), .init("causal", .bool(text.isCausal)),
                .init("end_token", .integer(text.endToken)),
                .init("layer_scale", text.layerScale.map(JSONValue.number) ?? .null),
                .init("projection", .string(text.projection.rawValue)),
                .init("class_token_mask", text.classTokenMask.map { .string($0.rawValue) } ?? .null),
            ]
        case .bert(let text):
            members.insert(.init("kind", .string(text.family.rawValue)), at: 0)
            members += [
                .init("layers", .integer(text.layers)), .init("heads", .integer(text.heads)),
                .init("intermediate_width", .integer(text.intermediateWidth)),
                .init("activation", .string(text.activation.rawValue)),
                .init("layer_norm_epsilon", .number(text.layerNormEpsilon)),
                .init("pooling", .string(text.pooling.rawValue)), .init("pooler", .bool(text.hasPooler)),
                .init("positions", .integer(text.positions)), .init("projection", .string(text.projection.rawValue)),
            ]
        }
        members.append(.init("reads_padding", .bool(tower.readsPadding)))
        return members
    }

    private static func members(of tokenizer: any Tokenizer) -> [JSONValue.Member] {
        let manifest = tokenizer.manifest
        let kind =
            switch manifest.kind {
            case .clip(let mode): "CLIP byte pairs, as \(mode == .openai ? "OpenAI" : "Hugging Face")"
            case .sentencePiece: "SentencePiece"
            case .huggingFace: "tokenizer.json"
            }
        var members: [JSONValue.Member] = [
            .init("kind", .string(kind)), .init("vocabulary_size", .integer(tokenizer.vocabularySize)),
            .init("pad_token", .integer(tokenizer.padToken)),
        ]
        if manifest.cleaning != .none {
            members.append(.init("cleaning", .string(manifest.cleaning.rawValue)))
        }
        if let token = manifest.strippedToken { members.append(.init("stripped_token", .integer(Int(token)))) }
        return members
    }

    private static func members(of preprocessing: AudioPreprocessing) -> [JSONValue.Member] {
        let mel = preprocessing.mel
        let clip: [JSONValue.Member] =
            switch preprocessing.clip {
            case .whole: [.init("clip", "whole")]
            case .frames(let count): [.init("clip_frames", .integer(count))]
            case .samples(let count, let short, let long):
                [
                    .init("clip_samples", .integer(count)), .init("padding", .string(short.rawValue)),
                    .init("truncation", .string(long.rawValue)),
                ]
            }
        return [.init("sample_rate", .integer(preprocessing.sampleRate))] + clip + [
            .init("transform_size", .integer(mel.transformSize)), .init("hop", .integer(mel.hop)),
            .init("bins", .integer(mel.bins)), .init("lowest_frequency", .number(mel.frequencies.lowerBound)),
            .init("highest_frequency", .number(mel.frequencies.upperBound)),
            .init("mel_scale", .string(mel.scale.rawValue)),
        ]
    }

    private static func members(of preprocessing: ImagePreprocessing) -> [JSONValue.Member] {
        func list(_ values: [Double]) -> JSONValue { .array(values.map(JSONValue.number)) }
        let mode =
            switch preprocessing.resizeMode {
            case .shortestEdge: "shortest edge"
            case .longestEdge: "longest edge"
            case .squash: "squash"
            }
        return [
            .init("resize", .string(mode)), .init("size", .integer(preprocessing.size)),
            .init("filter", .string("\(preprocessing.filter)")), .init("crop", .integer(preprocessing.cropSize)),
            .init("crop_rule", .string(preprocessing.cropRule.rawValue)), .init("mean", list(preprocessing.mean)),
            .init("standard_deviation", list(preprocessing.standardDeviation)),
        ]
    }
}
