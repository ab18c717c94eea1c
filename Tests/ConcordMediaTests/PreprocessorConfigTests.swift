import ConcordCore
import ConcordMedia
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

    @Test(arguments: [
        "[]", "{}", #"{"size": 0}"#, #"{"size": "large"}"#, #"{"size": {"height": 3, "width": 4}}"#,
        #"{"size": 32, "crop_size": 32}"#, #"{"size": 32, "crop_size": {"height": 3, "width": 4}}"#,
        #"{"size": 32, "crop_size": 32, "image_mean": [1, 2], "image_std": [1, 1, 1]}"#,
        #"{"size": 32, "crop_size": 32, "image_mean": [0, 0, 0], "image_std": [1, 0, 1]}"#,
        #"{"size": 32, "crop_size": 32, "image_mean": [0, 0, 0], "image_std": [1, 1, 1], "resample": 9}"#,
        #"{"size": 32, "crop_size": 32, "do_normalize": false, "do_resize": false}"#,
        #"{"size": 32, "crop_size": 32, "do_normalize": false, "do_rescale": false}"#,
        #"{"size": 32, "crop_size": 32, "do_normalize": false, "rescale_factor": 1}"#,
        #"{"size": 32, "do_center_crop": false, "do_normalize": false}"#,
        #"{"size": 32, "crop_size": 32, "do_normalize": false, "crop_rule": "left"}"#,
    ])
    func impossibleConfigurationsAreRefused(_ text: String) {
        #expect {
            try parsed(text)
        } throws: { error in
            (error as? ConcordError)?.code == .invalidConfiguration
        }
    }
}
