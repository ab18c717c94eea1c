import ConcordCore
import ConcordMedia
import Testing

/// Training augmentations: colors against Pillow to the last bit, the random parts by their distributions.
struct AugmentationTests {
    static let golden = Golden.shared

    @Test(arguments: golden.colors)
    func colorChangesEqualTorchvision(_ color: Golden.Color) throws {
        let image = try Image(contentsOf: Golden.folder + "/colours.png")
        let changed =
            switch color.kind {
            case "brightness": image.brightened(by: Float(color.factor))
            case "contrast": image.contrasted(by: Float(color.factor))
            case "saturation": image.saturated(by: Float(color.factor))
            default: image.hueTurned(by: color.factor)
            }
        expectEqual(changed, try Self.golden.image(color.name))
    }

    @Test func grayEqualsTorchvision() throws {
        let image = try Image(contentsOf: Golden.folder + "/colours.png")
        expectEqual(image.grayscale(), try Self.golden.image("colour/grey"))
    }

    private var everything: TrainingAugmentation {
        var augmentation = TrainingAugmentation()
        augmentation.flipProbability = 0.5
        (augmentation.brightness, augmentation.contrast) = (0.4, 0.4)
        (augmentation.saturation, augmentation.hue) = (0.4, 0.1)
        augmentation.jitterProbability = 0.8
        augmentation.grayProbability = 0.2
        return augmentation
    }

    @Test func aSeedFixesTheResult() throws {
        let image = try Self.golden.image("decoded/margin-49x40.png")
        let made = (0..<8).map { stream in
            (0..<2).map { _ in
                var random = RandomSource(seed: 5, stream: UInt64(stream))
                return everything(image, size: 24, random: &random)
            }
        }
        for pair in made { #expect(pair[0] == pair[1]) }
        #expect(Set(made.map { $0[0] }).count == made.count)
        #expect(made.allSatisfy { $0[0].width == 24 && $0[0].height == 24 })
    }

    @Test func cropsHaveTheAreaAndShapeAskedFor() {
        var augmentation = TrainingAugmentation()
        augmentation.scale = 0.2...0.8
        var random = RandomSource(seed: 1)
        var areas: [Double] = []
        var (lefts, rights) = (0, 0)
        for _ in 0..<4000 {
            let crop = augmentation.crop(width: 400, height: 300, random: &random)
            #expect(crop.x >= 0 && crop.y >= 0 && crop.x + crop.width <= 400 && crop.y + crop.height <= 300)
            let ratio = Double(crop.width) / Double(crop.height)
            #expect(ratio > 0.74 && ratio < 1.35)
            areas.append(Double(crop.width * crop.height) / 120_000)
            if crop.x < 400 - crop.width - crop.x { lefts += 1 } else { rights += 1 }
        }
        #expect(areas.allSatisfy { $0 > 0.195 && $0 < 0.805 })
        // Areas are uniform but for the few large tall crops that do not fit.
        let mean = areas.reduce(0, +) / Double(areas.count)
        #expect(mean > 0.46 && mean < 0.51)
        #expect(abs(lefts - rights) < 400)
    }

    @Test func impossibleShapesFallBackToACentralCrop() {
        var augmentation = TrainingAugmentation()
        augmentation.scale = 1...1
        var random = RandomSource(seed: 2)
        #expect(augmentation.crop(width: 1000, height: 30, random: &random) == (480, 0, 40, 30))
        #expect(augmentation.crop(width: 30, height: 1000, random: &random) == (0, 480, 30, 40))
        #expect(augmentation.crop(width: 1, height: 1, random: &random) == (0, 0, 1, 1))
    }

    @Test func probabilitiesOfZeroAndOneAreCertain() throws {
        let image = try Self.golden.image("decoded/margin-40x44.png")
        var augmentation = TrainingAugmentation()
        var random = RandomSource(seed: 3)
        let crop = augmentation.crop(width: image.width, height: image.height, random: &random)
        let plain = image.cropped(x: crop.x, y: crop.y, width: crop.width, height: crop.height)
            .resized(width: 20, height: 20)
        random = RandomSource(seed: 3)
        #expect(augmentation(image, size: 20, random: &random) == plain)
        augmentation.flipProbability = 1
        random = RandomSource(seed: 3)
        #expect(augmentation(image, size: 20, random: &random) == plain.flippedHorizontally())
        augmentation.flipProbability = 0
        augmentation.grayProbability = 1
        random = RandomSource(seed: 3)
        #expect(augmentation(image, size: 20, random: &random) == plain.grayscale())
    }
}
