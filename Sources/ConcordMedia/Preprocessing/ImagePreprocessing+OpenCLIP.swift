import ConcordCore

// The evaluation transforms of open_clip 3 (open_clip/transform.py, `image_transform` with `is_train` false).
extension ImagePreprocessing {
    /// Reads the `preprocess_cfg` of a whole `open_clip_config.json`; what it lacks is what open_clip takes.
    ///
    /// As there, images get the size of the model, also where `preprocess_cfg` has another, and the interpolation
    /// `random` is bicubic. The crop rule is torchvision's unless `crop_rule`, our own addition, says otherwise.
    ///
    /// - Parameters:
    ///   - config: The document, with `model_cfg`, `preprocess_cfg` or both.
    ///   - imageSize: The model's, `model_cfg.vision_cfg.image_size`.
    /// - Throws: `.invalidConfiguration` for an impossible value, and for a size that is not square.
    package init(openCLIPConfig config: JSONValue, imageSize: Int) throws(ConcordError) {
        guard config["preprocess_cfg"] != nil || config["model_cfg"] != nil else {
            throw ConcordError(
                .invalidConfiguration,
                "an open_clip_config.json must have model_cfg or preprocess_cfg; name the file of an open_clip model")
        }
        let own = config["preprocess_cfg"] ?? .null
        let clip = ImagePreprocessing.clip(size: 224)
        // Null says nothing there.
        let members = own.members?.filter { !$0.value.isNull } ?? []
        let reader = try JSONFields(
            preprocessing: .object(members),
            defaults: [
                "size": .integer(imageSize), "mode": "RGB", "interpolation": "bicubic", "resize_mode": "shortest",
                "fill_color": 0, "mean": .array(clip.mean.map(JSONValue.number)),
                "std": .array(clip.standardDeviation.map(JSONValue.number)),
            ])
        guard own.isNull || own.members != nil else {
            throw reader.problem("has preprocess_cfg \(own.text()); write a JSON object")
        }
        guard reader["mode"]?.string == "RGB" else {
            throw reader.problem("has mode \(reader["mode"]?.text() ?? ""); only \"RGB\" is supported")
        }
        for key in ["mean", "std"] where reader[key]?.double == 0 {
            throw reader.problem("has \(key) 0, which open_clip treats as CLIP's; write three numbers")
        }
        _ = try reader.square("size")
        let size = try reader.edge("image size", .integer(imageSize))
        let filter: ResampleFilter
        switch reader["interpolation"]?.string {
        // `random` means one of the two while training.
        case "bicubic", "random": filter = .bicubic
        case "bilinear": filter = .bilinear
        default:
            throw reader.problem(
                "has interpolation \(reader["interpolation"]?.text() ?? ""); write \"bicubic\" or \"bilinear\"")
        }
        let mode: ResizeMode
        switch reader["resize_mode"]?.string {
        case "shortest": mode = .shortestEdge
        case "longest": mode = .longestEdge
        case "squash": mode = .squash
        default:
            throw reader.problem(
                "has resize_mode \(reader["resize_mode"]?.text() ?? ""); write \"shortest\", \"longest\" or "
                    + "\"squash\"")
        }
        self.init(
            size: size, resizeMode: mode, filter: filter, cropRule: try reader.cropRule() ?? .torchvision,
            mean: try reader.channels("mean"), standardDeviation: try reader.deviations("std"),
            padColor: try Self.color(reader))
    }

    /// The `preprocess_cfg` that open_clip reads, as the one member of an object, to be put beside `model_cfg`.
    ///
    /// `crop_rule`, which open_clip ignores, is added where it is not torchvision's. Throws `.invalidConfiguration` for
    /// what has no form there: a filter besides bicubic and bilinear, and a crop of another size than the resize's.
    package func openCLIPConfig() throws(ConcordError) -> JSONValue {
        guard cropSize == size else {
            throw ConcordError(
                .invalidConfiguration,
                "open_clip_config.json cannot express a resize to \(size) and a crop to \(cropSize); make both one "
                    + "size, or save as Hugging Face")
        }
        guard filter == .bicubic || filter == .bilinear else {
            throw ConcordError(
                .invalidConfiguration,
                "open_clip_config.json cannot express the filter \(filter); use bicubic or bilinear, or save as "
                    + "Hugging Face")
        }
        let mode =
            switch resizeMode {
            case .shortestEdge: "shortest"
            case .longestEdge: "longest"
            case .squash: "squash"
            }
        let isGray = Set(padColor).count == 1
        var members: [JSONValue.Member] = [
            .init("size", .integer(size)),
            .init("mode", "RGB"),
            .init("mean", .array(mean.map(JSONValue.number))),
            .init("std", .array(standardDeviation.map(JSONValue.number))),
            .init("interpolation", filter == .bicubic ? "bicubic" : "bilinear"),
            .init("resize_mode", .string(mode)),
            .init(
                "fill_color",
                isGray ? .integer(Int(padColor[0])) : .array(padColor.map { JSONValue.integer(Int($0)) })),
        ]
        if cropRule != .torchvision { members.append(.init("crop_rule", .string(cropRule.rawValue))) }
        return ["preprocess_cfg": .object(members)]
    }

    /// `fill_color`: one byte for all channels, or one for each.
    private static func color(_ reader: JSONFields) throws(ConcordError) -> [UInt8] {
        let value = reader["fill_color"]
        let values = value?.int.map { [$0, $0, $0] } ?? value?.elements?.compactMap(\.int) ?? []
        guard values.count == 3, value?.elements?.count ?? 3 == 3, values.allSatisfy({ (0...255).contains($0) }) else {
            throw reader.problem(
                "has fill_color \(value?.text() ?? ""); write a number from 0 to 255, or three of them")
        }
        return values.map { UInt8($0) }
    }
}
