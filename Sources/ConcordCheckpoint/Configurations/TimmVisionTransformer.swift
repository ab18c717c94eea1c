/// The vision towers of SigLIP that open_clip takes from timm, by whose name alone a configuration gives their sizes.
///
/// Follows `models/vision_transformer.py` of timm 1.0.
enum TimmVisionTransformer {
    private struct Size {
        let name: String
        let width, intermediateWidth, layers: Int
        var heads = 16
    }

    private static let sizes = [
        Size(name: "base", width: 768, intermediateWidth: 3072, layers: 12, heads: 12),
        Size(name: "large", width: 1024, intermediateWidth: 4096, layers: 24),
        Size(name: "so400m", width: 1152, intermediateWidth: 4304, layers: 27),
        Size(name: "giantopt", width: 1536, intermediateWidth: 6144, layers: 40),
    ]

    /// Patch and picture sizes, and the activation; the published weights of either SigLIP share a name.
    private static let variants: [(name: String, patchSize: Int, imageSize: Int, activation: Activation)] = [
        ("base", 32, 256, .tanhGELU), ("base", 16, 224, .gelu), ("base", 16, 256, .gelu), ("base", 16, 384, .gelu),
        ("base", 16, 512, .gelu), ("large", 16, 256, .gelu), ("large", 16, 384, .gelu), ("large", 16, 512, .tanhGELU),
        ("so400m", 14, 224, .gelu), ("so400m", 14, 378, .gelu), ("so400m", 14, 384, .gelu),
        ("so400m", 16, 256, .tanhGELU), ("so400m", 16, 384, .tanhGELU), ("so400m", 16, 512, .tanhGELU),
        ("giantopt", 16, 256, .tanhGELU), ("giantopt", 16, 384, .tanhGELU),
    ]

    /// All towers and their names.
    static let all: [(name: String, configuration: VisionTransformerConfiguration)] = variants.compactMap { variant in
        guard let size = sizes.first(where: { $0.name == variant.name }) else { return nil }
        var configuration = VisionTransformerConfiguration(
            width: size.width, intermediateWidth: size.intermediateWidth, layers: size.layers, heads: size.heads,
            imageSize: variant.imageSize, patchSize: variant.patchSize, activation: variant.activation,
            layerNormEpsilon: 1e-6)
        configuration.becomeSigLIP()
        return ("vit_\(variant.name)_patch\(variant.patchSize)_siglip_\(variant.imageSize)", configuration)
    }

    /// The tower of that name, of which a tag behind a point says where weights come from; nil for another.
    static func configuration(named name: String) -> VisionTransformerConfiguration? {
        let plain = name.prefix { $0 != "." }
        return all.first { $0.name == plain }?.configuration
    }

    /// The name of a tower; nil when timm has none such.
    static func name(of configuration: VisionTransformerConfiguration) -> String? {
        var plain = configuration
        plain.hasProjection = false
        return all.first { $0.configuration == plain }?.name
    }
}
