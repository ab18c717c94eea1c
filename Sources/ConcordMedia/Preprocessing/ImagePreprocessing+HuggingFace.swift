import ConcordCore

// The image processors of transformers. Their Pillow backend is followed, whose pixels do not depend on the version of
// torchvision.
extension ImagePreprocessing {
    /// Reads the image processor of a Hugging Face model folder: the one inside `processor_config.json`, which
    /// transformers 5 writes and prefers, or else `preprocessor_config.json`.
    ///
    /// Throws `.fileSystem` where neither is there, `.malformedText` and `.invalidConfiguration` with the path.
    public init(folder: String) throws(ConcordError) {
        let file = try PreprocessingFile.find(in: folder, member: "image_processor")
        self = try file.read { config throws(ConcordError) in try Self(preprocessorConfig: config) }
    }

    /// Reads Hugging Face's `preprocessor_config.json`, the old form (`"size": 224`) and the new one
    /// (`"size": {"shortest_edge": 224}`), of the image processors of CLIP, SigLIP, Chinese CLIP, ViT, DeiT and BiT.
    ///
    /// What it does not say is what its image processor would take. The crop rule is Hugging Face's unless
    /// `crop_rule`, our own addition, says otherwise.
    ///
    /// Throws `.invalidConfiguration` for a value that is missing or impossible, an image processor that is not known,
    /// and steps that do not make square images scaled to 0…1.
    public init(preprocessorConfig config: JSONValue) throws(ConcordError) {
        guard config.members != nil else {
            throw ConcordError(
                .invalidConfiguration, "the preprocessing configuration is \(config.text()); write a JSON object")
        }
        let reader = try JSONFields(preprocessing: config, defaults: ImageProcessorDefaults.of(config))
        guard try reader.boolean("do_resize", default: false) else {
            throw reader.problem("has do_resize false, but images must have one size; write true, and the size")
        }
        guard try reader.boolean("do_rescale", default: false) else {
            throw reader.problem("has do_rescale false, but pixels must be scaled to 0…1; write true")
        }
        guard let factor = reader["rescale_factor"]?.double, abs(factor * 255 - 1) < 1e-6 else {
            throw reader.problem(
                "has rescale_factor \(reader["rescale_factor"]?.text() ?? "null"), but only 1/255 is supported; "
                    + "write 0.00392156862745098, and image_mean and image_std for pixels of 0…1")
        }
        for key in ["do_pad", "use_square_size"] where try reader.boolean(key, default: false) {
            throw reader.problem("has \(key) true, which is not supported; write false, and the size you mean")
        }
        guard let resample = reader["resample"]?.int, let filter = ResampleFilter(rawValue: resample) else {
            throw reader.problem(
                "has resample \(reader["resample"]?.text() ?? "null"); known are 0 (nearest), 1 (lanczos), "
                    + "2 (bilinear), 3 (bicubic) and 4 (box)")
        }
        let (size, mode) = try Self.resize(reader)
        let crops = try reader.boolean("do_center_crop", default: false)
        guard crops || mode == .squash else {
            throw reader.problem(
                "has do_center_crop false and the size of one edge, but the output must be square; write "
                    + "do_center_crop true and a crop_size, or a size of {\"height\": 224, \"width\": 224}")
        }
        let normalizes = try reader.boolean("do_normalize", default: false)
        self.init(
            size: size, resizeMode: mode, filter: filter, cropSize: crops ? try reader.square("crop_size") : size,
            cropRule: try reader.cropRule() ?? .huggingFace,
            mean: normalizes ? try reader.channels("image_mean") : [0, 0, 0],
            standardDeviation: normalizes ? try reader.deviations("image_std") : [1, 1, 1])
    }

    /// The `preprocessor_config.json` that transformers reads, in its new form: a `SiglipImageProcessor` where both
    /// edges become `size`, else a `CLIPImageProcessor`.
    ///
    /// `crop_rule`, which transformers ignores, is added where it is not Hugging Face's. Throws `.invalidConfiguration`
    /// for what has no form there: padding, but with black around a crop.
    public func preprocessorConfig() throws(ConcordError) -> JSONValue {
        let isPlainSquash = resizeMode == .squash && cropSize == size
        let edge: JSONValue =
            switch resizeMode {
            case .shortestEdge: ["shortest_edge": .integer(size)]
            case .squash: ["height": .integer(size), "width": .integer(size)]
            case .longestEdge:
                throw ConcordError(
                    .invalidConfiguration,
                    "preprocessor_config.json cannot express padding to the longest edge; use another resize mode, or "
                        + "save as open_clip")
            }
        guard cropSize <= size || padColor == [0, 0, 0] else {
            throw ConcordError(
                .invalidConfiguration,
                "preprocessor_config.json cannot express padding with the color \(padColor); use black")
        }
        var members: [JSONValue.Member] = [
            .init("do_convert_rgb", true),
            .init("do_normalize", true),
            .init("do_rescale", true),
            .init("do_resize", true),
            .init("image_mean", .array(mean.map(JSONValue.number))),
            .init("image_processor_type", isPlainSquash ? "SiglipImageProcessor" : "CLIPImageProcessor"),
            .init("image_std", .array(standardDeviation.map(JSONValue.number))),
            .init("resample", .integer(filter.rawValue)),
            .init("rescale_factor", .number(1 / 255)),
            .init("size", edge),
        ]
        if !isPlainSquash {
            members.insert(.init("crop_size", ["height": .integer(cropSize), "width": .integer(cropSize)]), at: 0)
            members.insert(.init("do_center_crop", true), at: 1)
        }
        if cropRule != .huggingFace { members.append(.init("crop_rule", .string(cropRule.rawValue))) }
        return .object(members)
    }

    private static func resize(_ reader: JSONFields) throws(ConcordError) -> (Int, ResizeMode) {
        guard let value = reader["size"] else {
            throw reader.problem("lacks size; write {\"shortest_edge\": 224} or {\"height\": 224, \"width\": 224}")
        }
        if let members = value.members {
            switch Set(members.map(\.name)) {
            case ["shortest_edge"]: return (try reader.edge("size", value["shortest_edge"]), .shortestEdge)
            case ["height", "width"]: return (try reader.square("size"), .squash)
            default:
                throw reader.problem(
                    "has size \(value.text()), which does not make square images; write {\"shortest_edge\": 224} or "
                        + "{\"height\": 224, \"width\": 224}")
            }
        }
        let defaultsToSquare = try reader.boolean("default_to_square", default: false)
        guard value.elements != nil || defaultsToSquare else {
            return (try reader.edge("size", value), .shortestEdge)
        }
        return (try reader.square("size"), .squash)
    }
}

/// Defaults of transformers' image processor classes for members that `preprocessor_config.json` lacks.
enum ImageProcessorDefaults {
    /// The defaults of the class that a configuration names; `supported` says which are known.
    ///
    /// A configuration without a class name, which transformers would find by the model's type, has only what all
    /// classes share, and reads a plain `size` as CLIP does.
    static func of(_ config: JSONValue) throws(ConcordError) -> JSONValue {
        let shared: [JSONValue.Member] = [
            .init("do_resize", true), .init("do_rescale", true), .init("do_normalize", true),
            .init("rescale_factor", .number(1 / 255)),
        ]
        let reader = try JSONFields(preprocessing: config)
        guard let type = reader["image_processor_type"] ?? reader["feature_extractor_type"] else {
            // The middle is cut out of what would not be square otherwise, and where a crop size asks for it.
            let crops = reader["crop_size"] != nil || reader["size"]?["height"] == nil
            return .object(shared + [.init("do_center_crop", .bool(crops)), .init("resample", 3)])
        }
        let suffix = suffixes.first { type.string?.hasSuffix($0) == true }
        guard let name = type.string, let suffix, let defaults = classes[String(name.dropLast(suffix.count))] else {
            throw reader.problem(
                "names the image processor \(type.text()), which is not supported; known are "
                    + supported.map { $0 + "ImageProcessor" }.joined(separator: ", ")
                    + "; if one of them does the same, write its name")
        }
        return .object(shared + (defaults.members ?? []))
    }

    /// The families of image processors whose steps are known.
    static var supported: [String] { classes.keys.sorted() }

    /// Endings of class names after the family: the forms of transformers 4 and 5, and the name before 4.26.
    private static let suffixes = ["ImageProcessor", "ImageProcessorFast", "ImageProcessorPil", "FeatureExtractor"]

    private static let clip: JSONValue = [
        "size": ["shortest_edge": 224], "crop_size": 224, "do_center_crop": true, "resample": 3,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
    ]

    private static let classes: [String: JSONValue] = [
        "CLIP": clip,
        "ChineseCLIP": clip,
        "Bit": clip,
        "Siglip": [
            "size": ["height": 224, "width": 224], "resample": 3, "image_mean": 0.5, "image_std": 0.5,
        ],
        "ViT": [
            "size": ["height": 224, "width": 224], "resample": 2, "image_mean": 0.5, "image_std": 0.5,
            "default_to_square": true,
        ],
        "DeiT": [
            "size": ["height": 256, "width": 256], "crop_size": 224, "do_center_crop": true, "resample": 3,
            "image_mean": 0.5, "image_std": 0.5, "default_to_square": true,
        ],
    ]
}
