import ConcordCore
import ConcordMedia
import ConcordTestSupport
import Testing

/// Hugging Face's `preprocessor_config.json`, old form and new.
struct PreprocessorConfigTests {
    private func parsed(_ text: String) throws -> ImagePreprocessing {
        try ImagePreprocessing(preprocessorConfig: JSONValue(parsing: text))
    }

    private var clip: ImagePreprocessing {
        var clip = ImagePreprocessing.clip(size: 224)
        clip.cropRule = .huggingFace
        return clip
    }

    private let statistics = """
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]
        """

    @Test func oldForm() throws {
        let config = try parsed(
            """
            {"crop_size": 224, "do_center_crop": true, "do_normalize": true, "do_resize": true,
             "feature_extractor_type": "CLIPFeatureExtractor", \(statistics), "resample": 3, "size": 224}
            """)
        #expect(config == clip)
    }

    @Test func newForm() throws {
        let config = try parsed(
            """
            {"crop_size": {"height": 224, "width": 224}, "do_center_crop": true, "do_convert_rgb": true,
             "do_normalize": true, "do_rescale": true, "do_resize": true, \(statistics), "resample": 3,
             "image_processor_type": "CLIPImageProcessor", "rescale_factor": 0.00392156862745098,
             "size": {"shortest_edge": 224}}
            """)
        #expect(config == clip)
    }

    @Test func squareResizeWithoutCrop() throws {
        let config = try parsed(
            """
            {"do_rescale": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2,
             "size": {"height": 256, "width": 256}}
            """)
        #expect(
            config
                == ImagePreprocessing(
                    size: 256, resizeMode: .squash, filter: .bilinear, cropRule: .huggingFace, mean: [0.5, 0.5, 0.5],
                    standardDeviation: [0.5, 0.5, 0.5]))
    }

    @Test func writtenConfigurationsReadBack() throws {
        var squash = clip
        squash.resizeMode = .squash
        squash.filter = .lanczos
        var small = clip
        (small.size, small.cropSize) = (32, 28)
        for preprocessing in [clip, .clip(size: 64), squash, small] {
            let config = try preprocessing.preprocessorConfig()
            #expect(try ImagePreprocessing(preprocessorConfig: config) == preprocessing)
        }
        let written = try ImagePreprocessing.clip(size: 64).preprocessorConfig()
        #expect(written["image_mean"] == [0.48145466, 0.4578275, 0.40821073])
        #expect(written["size"] == ["shortest_edge": 64])
    }

    @Test func cropRuleReadsInBothSpellings() throws {
        let start = #"{"size": 32, "crop_size": 32, "do_normalize": false, "crop_rule": "#
        #expect(try parsed(start + #""hugging_face"}"#).cropRule == .huggingFace)
        #expect(try parsed(start + #""huggingface"}"#).cropRule == .huggingFace)
        #expect(try parsed(start + #""torchvision"}"#).cropRule == .torchvision)
        #expect(ImagePreprocessing.CropRule.huggingFace.rawValue == "huggingface")
    }

    @Test func squashIsWrittenForSigLIPAndTheRestForCLIP() throws {
        var preprocessing = clip
        #expect(try preprocessing.preprocessorConfig()["image_processor_type"] == "CLIPImageProcessor")
        preprocessing.resizeMode = .squash
        let squash = try preprocessing.preprocessorConfig()
        #expect(squash["image_processor_type"] == "SiglipImageProcessor" && squash["crop_size"] == nil)
        preprocessing.cropSize = 200
        #expect(try preprocessing.preprocessorConfig()["image_processor_type"] == "CLIPImageProcessor")
    }

    @Test func paddingHasNoForm() {
        var longest = clip
        longest.resizeMode = .longestEdge
        var colored = clip
        (colored.cropSize, colored.padColor) = (300, [1, 2, 3])
        for preprocessing in [longest, colored] {
            let error = #expect(throws: ConcordError.self) { try preprocessing.preprocessorConfig() }
            #expect(error?.code == .invalidConfiguration)
        }
    }

    @Test func foldersOfBothVersionsOfTransformersRead() throws {
        let folder = try TemporaryFolder()
        let own = try clip.preprocessorConfig()
        var small = clip
        (small.size, small.cropSize) = (32, 32)
        try folder.write("preprocessor_config.json", own.text())
        #expect(try ImagePreprocessing(folder: folder.path) == clip)
        // Older versions wrote a processor_config.json without an image processor.
        try folder.write("processor_config.json", #"{"processor_class": "CLIPProcessor"}"#)
        #expect(try ImagePreprocessing(folder: folder.path) == clip)
        let nested: JSONValue = ["image_processor": try small.preprocessorConfig(), "processor_class": "CLIPProcessor"]
        try folder.write("processor_config.json", nested.text())
        #expect(try ImagePreprocessing(folder: folder.path) == small)
    }

    @Test func foldersWithoutOrWithABrokenFileSayWhich() throws {
        let folder = try TemporaryFolder()
        let missing = #expect(throws: ConcordError.self) { try ImagePreprocessing(folder: folder.path) }
        #expect(missing?.code == .fileSystem)
        #expect(missing?.message.contains("\(folder.path) has no preprocessor_config.json") == true)
        for (text, code) in [("{", ConcordError.Code.malformedText), ("[]", .invalidConfiguration)] {
            let path = try folder.write("preprocessor_config.json", text)
            let error = #expect(throws: ConcordError.self) { try ImagePreprocessing(folder: folder.path) }
            #expect(error?.code == code)
            #expect(error?.message.contains(path) == true)
        }
    }

    struct Broken: Sendable, CustomStringConvertible {
        /// What is wrong.
        let description: String
        let config: String
        /// What the message must say.
        let says: String

        init(_ description: String, _ config: String, _ says: String) {
            (self.description, self.config, self.says) = (description, config, says)
        }
    }

    @Test(arguments: [
        Broken("a list", "[]", "write a JSON object"),
        Broken("nothing", "{}", "lacks size"),
        Broken("size 0", #"{"size": 0}"#, "from 1 to 8192"),
        Broken("a negative size", #"{"size": {"shortest_edge": -224}}"#, "from 1 to 8192"),
        Broken("a huge size", #"{"size": 1000000000}"#, "from 1 to 8192"),
        Broken("half a pixel", #"{"size": 224.5}"#, "224.5"),
        Broken("size in words", #"{"size": "large"}"#, #"found "large""#),
        Broken("size null", #"{"image_processor_type": "CLIPImageProcessor", "size": null}"#, "lacks size"),
        Broken("a size that is not square", #"{"size": {"height": 3, "width": 4}}"#, "only square images"),
        Broken("a list that is not square", #"{"size": [3, 4], "crop_size": 3}"#, "only square images"),
        Broken("a list of three sizes", #"{"size": [3, 3, 3], "crop_size": 3}"#, "[height, width]"),
        Broken(
            "the longest edge", #"{"size": {"longest_edge": 224}, "crop_size": 224}"#,
            "does not make square images"),
        Broken(
            "shortest and longest edge", #"{"size": {"shortest_edge": 224, "longest_edge": 300}, "crop_size": 224}"#,
            "does not make square images"),
        Broken("a height alone", #"{"size": {"height": 224}}"#, "does not make square images"),
        Broken("no mean", #"{"size": 32, "crop_size": 32}"#, "lacks a usable image_mean"),
        Broken("no crop size", #"{"size": 32, "do_normalize": false}"#, "lacks a usable crop_size, found nothing"),
        Broken(
            "a crop that is not square", #"{"size": 32, "crop_size": {"height": 3, "width": 4}}"#,
            "only square images"),
        Broken("a crop by its shortest edge", #"{"size": 32, "crop_size": {"shortest_edge": 3}}"#, "crop_size"),
        Broken(
            "two means", #"{"size": 32, "crop_size": 32, "image_mean": [1, 2], "image_std": [1, 1, 1]}"#,
            "image_mean; write three numbers"),
        Broken(
            "four means of which one is no number",
            #"{"size": 32, "crop_size": 32, "image_mean": [1, 2, "x", 3], "image_std": 1}"#,
            "image_mean; write three numbers"),
        Broken(
            "a mean beyond single precision", #"{"size": 32, "crop_size": 32, "image_mean": 1e300, "image_std": 1}"#,
            "image_mean; write three numbers"),
        Broken(
            "a deviation of 0", #"{"size": 32, "crop_size": 32, "image_mean": [0, 0, 0], "image_std": [1, 0, 1]}"#,
            "cannot be divided by 0"),
        Broken("an unknown filter", #"{"size": 32, "crop_size": 32, "resample": 9}"#, "has resample 9"),
        Broken("a filter by name", #"{"size": 32, "crop_size": 32, "resample": "bicubic"}"#, "3 (bicubic)"),
        Broken(
            "a filter that is null", #"{"image_processor_type": "CLIPImageProcessor", "resample": null}"#,
            "has resample null"),
        Broken("no resize", #"{"size": 32, "crop_size": 32, "do_resize": false}"#, "has do_resize false"),
        Broken("no rescale", #"{"size": 32, "crop_size": 32, "do_rescale": false}"#, "has do_rescale false"),
        Broken("another rescale", #"{"size": 32, "crop_size": 32, "rescale_factor": 1}"#, "has rescale_factor 1"),
        Broken("a flag in words", #"{"size": 32, "crop_size": 32, "do_resize": "yes"}"#, "must be true or false"),
        Broken("padding", #"{"size": 32, "crop_size": 32, "do_pad": true}"#, "has do_pad true"),
        Broken(
            "KOSMOS-2's flag", #"{"image_processor_type": "CLIPImageProcessor", "use_square_size": true}"#,
            "has use_square_size true"),
        Broken("no crop", #"{"size": 32, "do_center_crop": false}"#, "do_center_crop true and a crop_size"),
        Broken(
            "one edge without a crop", #"{"image_processor_type": "SiglipImageProcessor", "size": 224}"#,
            "the output must be square"),
        Broken("another crop rule", #"{"size": 32, "crop_size": 32, "crop_rule": "left"}"#, #"has crop_rule "left""#),
        Broken(
            "an image processor that makes patches", #"{"image_processor_type": "Siglip2ImageProcessor", "size": 32}"#,
            #""Siglip2ImageProcessor", which is not supported; known are BitImageProcessor"#),
        Broken(
            "an image processor with other steps", #"{"image_processor_type": "ConvNextImageProcessor"}"#,
            "not supported"),
        Broken("an image processor's name cut short", #"{"image_processor_type": "CLIP"}"#, "not supported"),
        Broken("a number for an image processor", #"{"image_processor_type": 3}"#, "names the image processor 3"),
    ])
    func brokenConfigurationsAreRefused(_ broken: Broken) {
        let error = #expect(throws: ConcordError.self) { try parsed(broken.config) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains(broken.says) == true, "\(error?.message ?? "")")
    }
}
