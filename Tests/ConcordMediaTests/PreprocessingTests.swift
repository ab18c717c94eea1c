import ConcordCore
import ConcordMedia
import Testing

/// Resize, crop and normalize, against torchvision and Hugging Face on Pillow: every value.
struct PreprocessingTests {
    static let golden = Golden.shared
    static let floatImages = golden.images.filter { golden.has("torchvision-floats/\($0)") }
    static let shapeImages = golden.images.filter { golden.has("squash/\($0)") }

    static func preprocessing(_ rule: ImagePreprocessing.CropRule) -> ImagePreprocessing {
        var result = ImagePreprocessing.clip(size: golden.crop)
        result.cropRule = rule
        return result
    }

    @Test(arguments: golden.images)
    func pixelsEqualBothPeers(_ name: String) throws {
        let image = try Self.golden.image("decoded/\(name)")
        let torchvision = try Self.golden.image("torchvision/\(name)")
        expectEqual(Self.preprocessing(.torchvision).pixels(image), torchvision)
        let other = "huggingface/\(name)"
        expectEqual(
            Self.preprocessing(.huggingFace).pixels(image),
            try Self.golden.has(other) ? Self.golden.image(other) : torchvision)
    }

    @Test(arguments: floatImages)
    func normalizedValuesEqualBothPeers(_ name: String) throws {
        let image = try Image(contentsOf: Self.golden.path(name))
        let torchvision = try Self.golden.floats("torchvision-floats/\(name)")
        #expect(Self.preprocessing(.torchvision)(image) == torchvision)
        let huggingFace = try Self.golden.floats("huggingface-floats/\(name)")
        #expect(Self.preprocessing(.huggingFace)(image) == huggingFace)
    }

    @Test(arguments: shapeImages)
    func otherResizeModesEqualTheirPeers(_ name: String) throws {
        let image = try Self.golden.image("decoded/\(name)")
        var preprocessing = Self.preprocessing(.torchvision)
        preprocessing.resizeMode = .squash
        expectEqual(preprocessing.pixels(image), try Self.golden.image("squash/\(name)"))
        preprocessing.resizeMode = .longestEdge
        expectEqual(preprocessing.pixels(image), try Self.golden.image("longest/\(name)"))
        // A crop larger than the image is padded; the rules differ in where the odd pixel goes.
        preprocessing.resizeMode = .shortestEdge
        preprocessing.size = 27
        preprocessing.cropSize = 40
        expectEqual(preprocessing.pixels(image), try Self.golden.image("crop-40-torchvision/\(name)"))
        preprocessing.cropRule = .huggingFace
        expectEqual(preprocessing.pixels(image), try Self.golden.image("crop-40-huggingface/\(name)"))
    }

    @Test(arguments: golden.resizes)
    func resizeEqualsPillow(_ resize: Golden.Resize) throws {
        let image = try Self.golden.image("decoded/margin-49x40.png")
        let resized = image.resized(width: resize.width, height: resize.height, filter: resize.filter, box: resize.box)
        expectEqual(resized, try Self.golden.image(resize.name))
    }

    /// The kernel of other processors, here too; some of the images are narrower than one group of 16 bytes.
    @Test(arguments: [ResampleFilter.lanczos, .bilinear, .bicubic, .box])
    func portableKernelEqualsTheOneOfThisProcessor(_ filter: ResampleFilter) throws {
        for name in ["margin-49x40.png", "tall-20x53.png", "tiny-2x3.png", "sliver-1x500.png", "sliver-500x1.png"] {
            let image = try Self.golden.image("decoded/\(name)")
            let whole = Image.Box(left: 0, top: 0, right: Float(image.width), bottom: Float(image.height))
            let part = Image.Box(
                left: whole.right / 5, top: whole.bottom / 7, right: whole.right * 0.9, bottom: whole.bottom * 0.77)
            for (width, height) in [(32, 32), (5, 97), (61, 3), (1, 1), (image.width, 11)] {
                for box in [whole, part] {
                    expectEqual(
                        image.resizedPortably(width: width, height: height, filter: filter, box: box),
                        image.resized(width: width, height: height, filter: filter, box: box))
                }
            }
        }
    }
}
