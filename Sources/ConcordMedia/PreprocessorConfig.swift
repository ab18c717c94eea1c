import ConcordCore

extension ImagePreprocessing {
    /// Reads Hugging Face's `preprocessor_config.json`, the old form (`"size": 224`) and the new one
    /// (`"size": {"shortest_edge": 224}`). The crop rule is Hugging Face's unless `crop_rule` says otherwise.
    ///
    /// Throws `.invalidConfiguration` for a value that is missing, impossible, or of a step that is not known.
    public init(preprocessorConfig config: JSONValue) throws(ConcordError) {
        guard config.members != nil else { throw Self.problem("is not a JSON object") }
        func flag(_ key: String) -> Bool { config[key]?.bool ?? true }
        guard flag("do_resize") else { throw Self.problem("has do_resize false; pictures must get one size") }
        guard flag("do_rescale") else { throw Self.problem("has do_rescale false; pixels must be scaled to 0…1") }
        if let factor = config["rescale_factor"]?.double, abs(factor * 255 - 1) > 1e-6 {
            throw Self.problem("has rescale_factor \(factor); only 1/255 is supported")
        }
        let resample = config["resample"]?.int ?? ResampleFilter.bicubic.rawValue
        guard let filter = ResampleFilter(rawValue: resample) else {
            throw Self.problem("has resample \(resample); known are 0…4 (nearest, lanczos, bilinear, bicubic, box)")
        }
        let (size, mode) = try Self.resize(config["size"])
        let crops = flag("do_center_crop") && (mode == .shortestEdge || config["crop_size"] != nil)
        guard crops || mode == .squash else {
            throw Self.problem("has do_center_crop false and one edge only; pictures must come out square")
        }
        var rule = CropRule.huggingFace
        if let name = config["crop_rule"] {
            guard let known = name.string.flatMap(CropRule.init) else {
                throw Self.problem("has an unknown crop_rule; write torchvision or hugging_face")
            }
            rule = known
        }
        let normalises = flag("do_normalize")
        let mean = normalises ? try Self.channels("image_mean", config) : [0, 0, 0]
        let deviation = normalises ? try Self.channels("image_std", config) : [1, 1, 1]
        guard !deviation.contains(0) else { throw Self.problem("has an image_std of 0") }
        self.init(
            size: size, resizeMode: mode, filter: filter,
            cropSize: crops ? try Self.square("crop_size", config["crop_size"]) : size, cropRule: rule, mean: mean,
            standardDeviation: deviation)
    }

    /// The `preprocessor_config.json` that Hugging Face's image processors read, in its new form.
    ///
    /// `crop_rule`, which they ignore, is added where it is not theirs. Padding to the longest edge has no form there:
    /// it throws `.invalidConfiguration`.
    public func preprocessorConfig() throws(ConcordError) -> JSONValue {
        let edge: JSONValue =
            switch resizeMode {
            case .shortestEdge: ["shortest_edge": .integer(size)]
            case .squash: ["height": .integer(size), "width": .integer(size)]
            case .longestEdge: throw Self.problem("cannot express padding to the longest edge; use another resize mode")
            }
        let crops = resizeMode == .shortestEdge || cropSize != size
        var members: [JSONValue.Member] = [
            .init("crop_size", ["height": .integer(cropSize), "width": .integer(cropSize)]),
            .init("do_center_crop", .bool(crops)),
            .init("do_convert_rgb", true),
            .init("do_normalize", true),
            .init("do_rescale", true),
            .init("do_resize", true),
            .init("image_mean", .array(mean.map(JSONValue.number))),
            .init("image_processor_type", "CLIPImageProcessor"),
            .init("image_std", .array(standardDeviation.map(JSONValue.number))),
            .init("resample", .integer(filter.rawValue)),
            .init("rescale_factor", .number(1 / 255)),
            .init("size", edge),
        ]
        if cropRule != .huggingFace { members.append(.init("crop_rule", .string(cropRule.rawValue))) }
        return .object(members)
    }

    private static func problem(_ text: String) -> ConcordError {
        ConcordError(.invalidConfiguration, "the preprocessor configuration \(text)")
    }

    private static func resize(_ value: JSONValue?) throws(ConcordError) -> (Int, ResizeMode) {
        if value?.members != nil, value?["shortest_edge"] == nil { return (try square("size", value), .squash) }
        guard let edge = value?["shortest_edge"]?.int ?? value?.int, (1...65_536).contains(edge) else {
            throw problem("lacks a usable size; write \"size\": {\"shortest_edge\": 224}")
        }
        return (edge, .shortestEdge)
    }

    private static func square(_ key: String, _ value: JSONValue?) throws(ConcordError) -> Int {
        let height = value?["height"]?.int ?? value?.int
        let width = value?["width"]?.int ?? value?.int
        guard let height, height == width, (1...65_536).contains(height) else {
            throw problem("lacks a usable \(key); write {\"height\": 224, \"width\": 224}, a square")
        }
        return height
    }

    private static func channels(_ key: String, _ config: JSONValue) throws(ConcordError) -> [Double] {
        let values = config[key]?.elements?.compactMap(\.double) ?? []
        guard values.count == 3, values.allSatisfy(\.isFinite) else {
            throw problem("lacks \(key), three numbers")
        }
        return values
    }
}
