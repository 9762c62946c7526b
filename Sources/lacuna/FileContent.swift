import Checkpoints
import Messages

/// A tensor in `checkpoint show`.
struct TensorContent: Encodable {
    let name, dtype: String
    let shape: [Int]

    init(_ tensor: StoredTensor) { (name, dtype, shape) = (tensor.name, tensor.kind.rawValue, tensor.shape) }
}

/// A single safetensors file in `checkpoint show`.
struct FileContent: Encodable {
    let path: String
    let parameters: Int
    let metadata: [String: String]
    let tensors: [TensorContent]

    init(_ file: Safetensors) {
        (path, metadata) = (file.path, file.metadata)
        let stored = file.tensors
        parameters = stored.reduce(0) { $0 + ($1.kind.isFloating ? $1.count : 0) }
        tensors = stored.map(TensorContent.init)
    }

    func jsonText() throws -> String { try prettyJSON(self) }

    var text: String {
        var facts = Table()
        facts.add("parameters", "\(parameters)")
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            let shown = 200
            facts.add(key, value.count <= shown ? value : value.prefix(shown) + "… \(value.count) characters")
        }
        return path + "\n" + facts.text + "\ntensors\n" + tensorTable(tensors)
    }
}

/// A line for each tensor.
func tensorTable(_ tensors: [TensorContent]) -> String {
    var table = Table()
    for tensor in tensors {
        table.add(tensor.name, tensor.dtype, "(" + tensor.shape.map(String.init).joined(separator: ", ") + ")")
    }
    return table.text
}

/// Indented, keys sorted and in snake case.
func prettyJSON(_ value: some Encodable) throws -> String {
    String(decoding: try JSON.encoded(value, indented: true, snakeCase: true), as: UTF8.self) + "\n"
}
