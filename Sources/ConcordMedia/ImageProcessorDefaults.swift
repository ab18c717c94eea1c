import ConcordCore

/// What the image processor classes of transformers take where `preprocessor_config.json` is silent.
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
        let reader = PreprocessingReader(config: config, defaults: [:])
        guard let type = reader.value("image_processor_type") ?? reader.value("feature_extractor_type") else {
            // The middle is cut out of what would not be square otherwise, and where a crop size asks for it.
            let crops = reader.value("crop_size") != nil || reader.value("size")?["height"] == nil
            return .object(shared + [.init("do_center_crop", .bool(crops)), .init("resample", 3)])
        }
        let suffix = suffixes.first { type.string?.hasSuffix($0) == true }
        guard let name = type.string, let suffix, let defaults = classes[String(name.dropLast(suffix.count))] else {
            throw reader.problem(
                "names the image processor \(type.text()), which is not supported; known are "
                    + supported.map { $0 + "ImageProcessor" }.joined(separator: ", ")
                    + "; where one of them does the same, write its name")
        }
        return .object(shared + (defaults.members ?? []))
    }

    /// The families of image processors whose steps are known.
    static var supported: [String] { classes.keys.sorted() }

    /// What follows the family in a class name: the forms of transformers 4 and 5, and the name before 4.26.
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
