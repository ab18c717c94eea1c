import ConcordCore
import ConcordMedia
import Testing

/// `preprocess_cfg` of `open_clip_config.json`; the pixels are compared in `PreprocessingParityTests`.
struct OpenCLIPPreprocessingTests {
    private func parsed(_ text: String, imageSize: Int = 224) throws -> ImagePreprocessing {
        try ImagePreprocessing(
            openCLIPConfig: JSONValue(parsing: #"{"preprocess_cfg": \#(text)}"#), imageSize: imageSize)
    }

    @Test func whatIsNotSaidIsCLIPs() throws {
        #expect(try parsed("{}") == .clip(size: 224))
        #expect(try parsed("null", imageSize: 336) == .clip(size: 336))
        #expect(try ImagePreprocessing(openCLIPConfig: ["model_cfg": [:]], imageSize: 64) == .clip(size: 64))
    }

    @Test func allMembersAreRead() throws {
        let config = try parsed(
            """
            {"size": [32, 32], "mode": "RGB", "mean": [0.1, 0.2, 0.3], "std": 0.5, "interpolation": "bilinear",
             "resize_mode": "longest", "fill_color": [1, 2, 3], "crop_rule": "huggingface"}
            """, imageSize: 32)
        #expect(
            config
                == ImagePreprocessing(
                    size: 32, resizeMode: .longestEdge, filter: .bilinear, cropRule: .huggingFace,
                    mean: [0.1, 0.2, 0.3], standardDeviation: [0.5, 0.5, 0.5], padColor: [1, 2, 3]))
        #expect(try ImagePreprocessing(openCLIPConfig: config.openCLIPConfig(), imageSize: 32) == config)
    }

    /// Hugging Face to open_clip and back: nothing changes, also not the crop rule.
    @Test func convertsThereAndBack() throws {
        for mode in [ImagePreprocessing.ResizeMode.shortestEdge, .squash] {
            for rule in [ImagePreprocessing.CropRule.huggingFace, .torchvision] {
                let original = ImagePreprocessing(
                    size: 48, resizeMode: mode, filter: .bilinear, cropRule: rule, mean: [0.1, 0.2, 0.3],
                    standardDeviation: [0.4, 0.5, 0.6])
                let there = try ImagePreprocessing(openCLIPConfig: original.openCLIPConfig(), imageSize: 48)
                #expect(try ImagePreprocessing(preprocessorConfig: there.preprocessorConfig()) == original)
            }
        }
    }

    @Test func whatOpenCLIPCannotSayIsRefused() {
        var crop = ImagePreprocessing.clip(size: 224)
        crop.size = 256
        var lanczos = ImagePreprocessing.clip(size: 224)
        lanczos.filter = .lanczos
        for (preprocessing, problem) in [(crop, "a resize to 256 and a crop to 224"), (lanczos, "filter lanczos")] {
            let error = #expect(throws: ConcordError.self) { try preprocessing.openCLIPConfig() }
            #expect(error?.code == .invalidConfiguration)
            #expect(error?.message.contains(problem) == true)
        }
    }

    @Test(arguments: [
        ("a list", "[]", "write a JSON object"),
        ("an image that is not square", #"{"size": [224, 336]}"#, "only square images"),
        ("three sizes", #"{"size": [224, 224, 224]}"#, "[height, width]"),
        ("size in words", #"{"size": "large"}"#, #"found "large""#),
        ("grey", #"{"mode": "L"}"#, #"has mode "L""#),
        ("an unknown interpolation", #"{"interpolation": "lanczos"}"#, #"has interpolation "lanczos""#),
        ("an interpolation by number", #"{"interpolation": 3}"#, "has interpolation 3"),
        ("an unknown resize mode", #"{"resize_mode": "stretch"}"#, #"has resize_mode "stretch""#),
        ("two means", #"{"mean": [0.5, 0.5]}"#, "mean; write three numbers"),
        ("mean 0", #"{"mean": 0}"#, "which open_clip treats as CLIP's"),
        ("a deviation of 0", #"{"std": [0.5, 0.5, 0]}"#, "cannot be divided by 0"),
        ("a fill beyond a byte", #"{"fill_color": 256}"#, "has fill_color 256"),
        ("a fill below a byte", #"{"fill_color": -1}"#, "has fill_color -1"),
        ("a fill of two channels", #"{"fill_color": [1, 2]}"#, "has fill_color [1, 2]"),
        ("a fill by name", #"{"fill_color": "white"}"#, "has fill_color"),
        ("another crop rule", #"{"crop_rule": "left"}"#, #"has crop_rule "left""#),
    ])
    func brokenConfigurationsAreRefused(_ name: String, _ config: String, _ says: String) {
        let error = #expect(throws: ConcordError.self) { try parsed(config) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains(says) == true, "\(name): \(error?.message ?? "")")
    }

    @Test func anImpossibleImageSizeIsRefused() {
        for size in [0, -1, 100_000] {
            #expect(throws: ConcordError.self) { try parsed("{}", imageSize: size) }
        }
    }

    @Test func anotherDocumentIsRefused() {
        let config: JSONValue = ["size": 32, "mean": 0.5]
        let error = #expect(throws: ConcordError.self) {
            try ImagePreprocessing(openCLIPConfig: config, imageSize: 32)
        }
        #expect(error?.message.contains("must have model_cfg or preprocess_cfg") == true)
    }
}
