/// Holds what does not copy where only what copies can be held, such as in an array.
package final class Holder<Content: ~Copyable> {
  package var content: Content

  package init(_ content: consuming Content) { self.content = content }
}
