// Loads a model, embeds pictures, and searches them by a text:
//   concord pull openai/clip-vit-base-patch32
//   swift run -c release search-example openai/clip-vit-base-patch32 "a dog on the beach" photos/*.jpg
import Concord
import Foundation

let arguments = CommandLine.arguments.dropFirst()
guard arguments.count >= 3, let model = arguments.first else {
    print("usage: search-example MODEL QUERY PICTURE…")
    exit(64)
}
let query = arguments.dropFirst().first ?? "", paths = Array(arguments.dropFirst(2))

do {
    // A folder, or the name of a model that `concord pull` has downloaded.
    let model = try EmbeddingModel.load(ModelLocation.folder(model))
    // Unit vectors, so that their products are cosines.
    let pictures = try model.embed(images: paths.map { try Image(contentsOf: $0) })  // [pictures, width]
    let text = try model.embed(texts: [query]).vectors  // [1, width]
    let cosines = pictures.matmul(text.transposed(0, 1)).flattened()  // [pictures]
    let best = cosines.topK(min(5, paths.count), axis: 0)
    for (cosine, row) in zip(best.values.scalars(as: Float.self), best.indices.scalars(as: Int.self)) {
        print(cosine, paths[row])
    }
} catch {
    print("search-example: \(error)")
    exit(1)
}
