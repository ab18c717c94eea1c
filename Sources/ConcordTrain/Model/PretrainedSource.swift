import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordMedia
import ConcordNN
import ConcordText

/// The model folders that a recipe starts from, if it names any, and what a run takes from each.
struct PretrainedSource {
    private let recipe: Recipe.ModelSection
    /// The folder that each tower comes from; nil for a new one. With `model.start` both are the same.
    private let image, text: ModelFolder?
    private let imageSide: (tower: VisionTransformerConfiguration, projectionWidth: Int)?
    /// The model of `model.start`, where its towers cannot be taken alone.
    private let whole: (any ArchitectureConfiguration)?

    /// Reads the configurations of the folders; no weights yet.
    ///
    /// - Throws: `.invalidConfiguration` for a folder that lacks what is to be taken from it, and as `ModelFolder` does.
    init(_ recipe: Recipe.ModelSection) throws(ConcordError) {
        self.recipe = recipe
        func folder(_ path: String?) throws(ConcordError) -> ModelFolder? {
            guard let path else { return nil }
            return try ModelFolder(ModelLocation.folder(path))
        }
        image = try folder(recipe.start ?? recipe.imageTower)
        text = try folder(recipe.start ?? recipe.textTower)
        if recipe.start == nil, let text, text.text == nil {
            throw ConcordError(
                .invalidConfiguration, "\(text.path) holds an image tower alone; name it as model.image_tower")
        }
        guard let image else {
            imageSide = nil
            whole = nil
            return
        }
        let configuration = image.architecture.configuration
        guard let tower = configuration.towerPair?.vision ?? configuration.imageTower else {
            throw ConcordError(
                .invalidConfiguration,
                "\(image.path) holds a text encoder alone, so there is no image tower to train; name it as "
                    + "model.text_tower")
        }
        guard recipe.start == nil || configuration.textTower != nil else {
            throw ConcordError(
                .invalidConfiguration,
                "\(image.path) holds an image tower alone, so there is no text tower to start from; name it as "
                    + "model.image_tower")
        }
        imageSide = (tower, configuration.projectedWidth ?? tower.width)
        whole = configuration.captionDecoder == nil && configuration.audioTower == nil ? nil : configuration
        guard recipe.start != nil || whole == nil else {
            throw ConcordError(
                .invalidConfiguration,
                "\(image.path) holds \(configuration.kindName), whose towers cannot be taken alone; name it as "
                    + "model.start, or name a model of two towers")
        }
        guard whole != nil || tower.pooling != .none else {
            throw ConcordError(
                .invalidConfiguration,
                "the image tower of \(image.path) gives a vector for each patch, not one for the image; start from "
                    + "another model")
        }
    }

    /// The models as the recipe names them; nil where it names none.
    var name: String? {
        let names = recipe.start.map { [$0] } ?? [recipe.textTower, recipe.imageTower].compactMap(\.self)
        return names.isEmpty ? nil : names.joined(separator: " and ")
    }

    /// Hashes of the weight files, by path, which tell whether the weights are still the same.
    func hashes() throws(ConcordError) -> [(path: String, sha256: String)] {
        var hashes = [(path: String, sha256: String)]()
        for folder in [text, image].compactMap(\.self) {
            for file in try CheckpointReader(path: folder.weights).files
            where !hashes.contains(where: { $0.path == file.file.path }) {
                hashes.append((file.file.path, try FileHash(.sha256, ofFile: file.file.path).hexadecimal))
            }
        }
        return hashes
    }

    // MARK: How inputs are taken

    /// The tokenizer of a text tower that is not new.
    func tokenizer() throws(ConcordError) -> (any Tokenizer)? {
        guard let text else { return nil }
        return try text.loadTokenizer()
    }

    /// The preprocessing of the image tower, for the image size of the recipe.
    func preprocessing() throws(ConcordError) -> ImagePreprocessing {
        guard let image else { return .clip(size: recipe.imageSize) }
        var preprocessing = try image.loadPreprocessing()
        if let size = recipe.givenImageSize {
            // Where a margin is cut off, it keeps its share.
            let scale = Double(size) / Double(preprocessing.cropSize)
            preprocessing.size = Int((Double(preprocessing.size) * scale).rounded())
            preprocessing.cropSize = size
        }
        return preprocessing
    }

    // MARK: The model

    /// The architecture, with a decoder or the towers alone, around towers that ``configuration(newTextTower:)`` gave.
    ///
    /// - Throws: `.invalidConfiguration` for parts that do not fit together.
    func architecture(_ towers: DualEncoderConfiguration) throws(ConcordError) -> ModelFolder.Architecture {
        let architecture: ModelFolder.Architecture
        if let whole {
            architecture = whole.resized(to: towers)
        } else if recipe.kind.hasDecoder, recipe.start == nil, case .transformer(let text) = towers.text {
            architecture = recipe.newCoCa(towers, text).architecture
        } else if let audio = recipe.audio.tower {
            architecture = .tripleEncoder(TripleEncoderConfiguration(towers: towers, audio: audio))
        } else {
            return .dualEncoder(towers)
        }
        try architecture.configuration.validate(path: "the model of this recipe")
        return architecture
    }

    /// The two towers.
    ///
    /// - Parameter newTextTower: the text tower where none is loaded.
    /// - Throws: `.invalidConfiguration` for parts that do not fit together.
    func configuration(
        newTextTower: @autoclosure () -> TextTowerConfiguration?
    ) throws(ConcordError) -> DualEncoderConfiguration {
        var configuration = DualEncoderConfiguration(
            text: try textTower() ?? newTextTower() ?? .transformer(.init()), vision: try imageTower(),
            initialLogitScale: DualEncoderConfiguration.clipLogitScale)
        if recipe.start != nil, let start = image?.architecture.configuration.towerPair {
            configuration.initialLogitScale = start.initialLogitScale
            configuration.initialLogitBias = start.initialLogitBias
        }
        let width = try projectionWidth(text: configuration.text)
        configuration.projectionWidth = width
        if let imageSide, !(imageSide.tower.hasProjection && imageSide.projectionWidth == width) {
            configuration.vision.hasProjection = imageSide.tower.hasProjection || imageSide.tower.width != width
        }
        try configuration.validate(path: "the model of this recipe")
        return configuration
    }

    private func imageTower() throws(ConcordError) -> VisionTransformerConfiguration {
        guard let image, var tower = imageSide?.tower else { return recipe.newImageTower }
        guard let size = recipe.givenImageSize else { return tower }
        guard size.isMultiple(of: tower.patchSize) else {
            throw ConcordError(
                .invalidConfiguration,
                "model.image_size \(size) is not a multiple of \(tower.patchSize), the patch size of \(image.path)")
        }
        tower.imageSize = size
        return tower
    }

    /// The loaded text tower, with the context and the projection that the recipe wants; nil for a new one.
    private func textTower() throws(ConcordError) -> TextTowerConfiguration? {
        guard let text, let tower = whole?.towerPair?.text ?? text.text else { return nil }
        switch (withContext(tower), recipe.textProjection) {
        case (let tower, .tower): return tower
        case (.transformer(var tower), let projection):
            guard projection != .perceptron else {
                throw ConcordError(
                    .invalidConfiguration,
                    "model.text_projection perceptron needs a text tower of the BERT family, which \(text.path) has "
                        + "not; use linear")
            }
            tower.projection = projection == .none ? .none : .linear
            return .transformer(tower)
        case (.bert(var tower), let projection):
            tower.projection = projection == .none ? .none : projection == .linear ? .linear : .perceptron
            return .bert(tower)
        }
    }

    /// A loaded text tower for texts as long as the recipe says; its positions are stretched where there are too few.
    private func withContext(_ tower: TextTowerConfiguration) -> TextTowerConfiguration {
        guard let length = recipe.givenContextLength else { return tower }
        switch tower {
        case .transformer(var text):
            text.contextLength = length
            return .transformer(text)
        case .bert(var text):
            // Its longest text may be shorter than its table of positions.
            text.positions = max(text.positions, text.firstPosition + length)
            text.contextLength = length
            return .bert(text)
        }
    }

    /// The width of the embedding: what the text tower fixes, else what the recipe says, else the image tower's.
    private func projectionWidth(text tower: TextTowerConfiguration) throws(ConcordError) -> Int {
        guard let fixed = fixedWidth(tower) else {
            let own = imageSide.map { $0.tower.hasProjection ? $0.projectionWidth : $0.tower.width }
            return recipe.givenProjectionWidth ?? own ?? recipe.projectionWidth
        }
        if let given = recipe.givenProjectionWidth, given != fixed {
            throw ConcordError(
                .invalidConfiguration,
                "model.projection_width is \(given), but texts get vectors of \(fixed); leave it out, or give "
                    + "model.text_projection linear for a new projection")
        }
        return fixed
    }

    /// The width of the text vectors where nothing new maps them.
    private func fixedWidth(_ tower: TextTowerConfiguration) -> Int? {
        guard tower.hasProjection else { return text == nil ? nil : tower.width }
        guard let text, recipe.textProjection == .tower else { return nil }
        return text.architecture.configuration.projectedWidth ?? tower.width
    }

    /// The sources of the weights of a model of that architecture.
    func sources(_ architecture: ModelFolder.Architecture) throws(ConcordError) -> [ParameterSource] {
        if recipe.start != nil, let image { return [ParameterSource(try reader(image), layout: image.layout)] }
        guard let configuration = architecture.configuration.towerPair, architecture.decoder == nil else { return [] }
        var sources = [ParameterSource]()
        if let text {
            let reader = try reader(text), root = Tower.text.root + "."
            if case .sentenceEncoder = text.architecture {
                sources.append(ParameterSource(reader, layout: text.layout, prefix: root, replacement: ""))
            } else {
                sources.append(ParameterSource(reader, layout: text.layout, prefix: root, isPartial: true))
            }
            if recipe.textProjection == .tower, configuration.text.hasProjection {
                sources.append(
                    ParameterSource(reader, layout: text.layout, prefix: Tower.text.projection, isPartial: true))
            }
        }
        if let image, let imageSide {
            let reader = try reader(image)
            sources.append(
                ParameterSource(reader, layout: image.layout, prefix: Tower.image.root + ".", isPartial: true))
            if imageSide.tower.hasProjection, imageSide.projectionWidth == configuration.projectionWidth {
                sources.append(
                    ParameterSource(reader, layout: image.layout, prefix: Tower.image.projection, isPartial: true))
            }
        }
        return sources
    }

    private func reader(_ folder: ModelFolder) throws(ConcordError) -> CheckpointReader {
        let reader = try CheckpointReader(path: folder.weights)
        try folder.manifest?.verifyHashes(folder: folder.path, limit: EmbeddingModel.hashedFileLimit)
        return reader
    }
}
