import ConcordCore

/// The random changes of a training image: a resized crop, a mirror, color jitter, gray.
///
/// The algorithms are torchvision's on Pillow images (`RandomResizedCrop`, `ColorJitter`, `Grayscale`); the random
/// numbers are those of the `RandomSource` given, so a seed fixes the result. The defaults are open_clip's.
public struct TrainingAugmentation: Sendable, Hashable {
    /// Area of the crop, as a fraction of the image's.
    public var scale: ClosedRange<Double> = 0.9...1
    /// Width over height of the crop.
    public var ratio: ClosedRange<Double> = (3.0 / 4)...(4.0 / 3)
    /// The probability that the image is mirrored left to right.
    public var flipProbability = 0.0
    /// Brightness is multiplied by a number in `max(0, 1 − brightness)...(1 + brightness)`.
    public var brightness = 0.0
    /// As `brightness`, for contrast.
    public var contrast = 0.0
    /// As `brightness`, for saturation.
    public var saturation = 0.0
    /// The hue is turned by up to this fraction of the circle, at most 0.5.
    public var hue = 0.0
    /// The probability that colors are changed at all.
    public var jitterProbability = 0.0
    /// The probability that the image becomes gray.
    public var grayProbability = 0.0

    public init() {}

    /// A changed copy of `image`, `size` × `size`, resized with Pillow's bicubic filter.
    public func callAsFunction(_ image: Image, size: Int, random: inout RandomSource) -> Image {
        let crop = self.crop(width: image.width, height: image.height, random: &random)
        var result = image.cropped(x: crop.x, y: crop.y, width: crop.width, height: crop.height)
            .resized(width: size, height: size, filter: .bicubic)
        if random.uniform() < flipProbability { result = result.flippedHorizontally() }
        if random.uniform() < jitterProbability { result = jittered(result, random: &random) }
        if random.uniform() < grayProbability { result = result.grayscale() }
        return result
    }

    /// The part of an image that is kept: ten tries at a random area and shape, then the largest central crop whose
    /// shape is allowed.
    package func crop(
        width: Int, height: Int, random: inout RandomSource
    ) -> (x: Int, y: Int, width: Int, height: Int) {
        let area = Double(width * height)
        for _ in 0..<10 {
            let target = area * random.uniform(scale.lowerBound, scale.upperBound)
            let shape = exp(random.uniform(log(ratio.lowerBound), log(ratio.upperBound)))
            let cropWidth = Int((target * shape).squareRoot().rounded(.toNearestOrEven))
            let cropHeight = Int((target / shape).squareRoot().rounded(.toNearestOrEven))
            if (1...width).contains(cropWidth) && (1...height).contains(cropHeight) {
                let y = random.index(below: height - cropHeight + 1)
                let x = random.index(below: width - cropWidth + 1)
                return (x, y, cropWidth, cropHeight)
            }
        }
        let shape = Double(width) / Double(height)
        var (cropWidth, cropHeight) = (width, height)
        if shape < ratio.lowerBound {
            cropHeight = max(1, Int((Double(width) / ratio.lowerBound).rounded(.toNearestOrEven)))
        } else if shape > ratio.upperBound {
            cropWidth = max(1, Int((Double(height) * ratio.upperBound).rounded(.toNearestOrEven)))
        }
        cropWidth = min(cropWidth, width)
        cropHeight = min(cropHeight, height)
        return ((width - cropWidth) / 2, (height - cropHeight) / 2, cropWidth, cropHeight)
    }

    /// Brightness, contrast, saturation and hue, in random order; those of strength 0 are left alone.
    private func jittered(_ image: Image, random: inout RandomSource) -> Image {
        func factor(_ strength: Double) -> Float { Float(random.uniform(max(0, 1 - strength), 1 + strength)) }
        var order = [0, 1, 2, 3]
        random.shuffle(&order)
        var result = image
        for step in order {
            switch step {
            case 0 where brightness > 0: result = result.brightened(by: factor(brightness))
            case 1 where contrast > 0: result = result.contrasted(by: factor(contrast))
            case 2 where saturation > 0: result = result.saturated(by: factor(saturation))
            case 3 where hue > 0: result = result.hueTurned(by: random.uniform(-hue, hue))
            default: break
            }
        }
        return result
    }
}
