import Glibc

// The clear versions of the kernels, in Double.

/// a: rows × depth, b: depth × columns
func plainProduct(_ a: [Double], _ b: [Double], rows: Int, columns: Int, depth: Int) -> [Double] {
    var c = [Double](repeating: 0, count: rows * columns)
    for i in 0..<rows {
        for k in 0..<depth {
            for j in 0..<columns { c[i * columns + j] += a[i * depth + k] * b[k * columns + j] }
        }
    }
    return c
}

func plainTranspose(_ a: [Double], rows: Int, columns: Int) -> [Double] {
    (0..<rows * columns).map { a[$0 % rows * columns + $0 / rows] }
}

func plainGELU(_ x: Double) -> Double { 0.5 * x * erfc(-x / 2.0.squareRoot()) }

func plainLayerNorm(
    _ x: [Double], weight: [Double], bias: [Double], epsilon: Double, rows: Int, channels: Int
) -> [Double] {
    (0..<rows).flatMap { r in
        let row = x[r * channels..<(r + 1) * channels]
        let mean = row.reduce(0, +) / Double(channels)
        let variance = row.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(channels)
        return zip(row.indices, row).map { index, value in
            let c = index - r * channels
            return (value - mean) / (variance + epsilon).squareRoot() * weight[c] + bias[c]
        }
    }
}

func plainSoftmax(_ row: [Double]) -> [Double] {
    let top = row.max() ?? 0
    let e = row.map { exp($0 - top) }
    let sum = e.reduce(0, +)
    return e.map { $0 / sum }
}

/// Query, key and value start at channel 0, `step` and 2·`step` of rows of `projected` channels.
struct PlainAttention {
    var batch, tokens, heads, headWidth: Int
    var scale: Double
    var isShared = false
    var width: Int { heads * headWidth }
    var step: Int { isShared ? 0 : width }
    var projected: Int { isShared ? width : 3 * width }

    func output(_ qkv: [Double], bias: [Double]?, mask: [Double]?) -> [Double] {
        var y = [Double](repeating: 0, count: batch * tokens * width)
        let masks = mask.map { $0.count / (tokens * tokens) } ?? 1
        for b in 0..<batch {
            for h in 0..<heads {
                let at = { (row: Int, part: Int, c: Int) in
                    qkv[(b * tokens + row) * projected + part * step + h * headWidth + c]
                }
                for i in 0..<tokens {
                    let logits = (0..<tokens).map { j in
                        let product = (0..<headWidth).reduce(0.0) { $0 + at(i, 0, $1) * at(j, 1, $1) }
                        let own = bias.map { $0[(h * tokens + i) * tokens + j] } ?? 0
                        return scale * product + own + (mask.map { $0[(b % masks * tokens + i) * tokens + j] } ?? 0)
                    }
                    let p = plainSoftmax(logits)
                    for c in 0..<headWidth {
                        y[(b * tokens + i) * width + h * headWidth + c] =
                            (0..<tokens).reduce(0.0) { $0 + p[$1] * at($1, 2, c) }
                    }
                }
            }
        }
        return y
    }
}
