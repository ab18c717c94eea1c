// Captions pictures with a model that `concord export` wrote; needs ONNX Runtime, and no libtorch:
//   swift run -c release caption-example artifacts/emoji-coca a.png b.png
import ConcordRuntime

let model = try ExportedModel(folder: CommandLine.arguments[1])
for picture in CommandLine.arguments.dropFirst(2) {
    print(picture, try model.caption(imageAt: picture).text)
}
