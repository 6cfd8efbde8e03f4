import Foundation
import ModelIR
import TensorCore

/// A model's graph in its text form.
package struct GraphListing: Report {
  let file: String
  let graph: String

  package init(of path: String, part: String? = nil) throws(ModelError) {
    let model = try ModelFile(path, goldens: false).part(part)
    file = (path as NSString).lastPathComponent
    graph = GraphText.print(model.graph, .elided(limit: 8))
  }

  package var text: String { graph }
}
