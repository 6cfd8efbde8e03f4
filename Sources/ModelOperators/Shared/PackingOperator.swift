import ModelIR

/// An operator whose kernels pack constant operands from where they lie, or bring them to memory themselves: a plan leaves that
/// to them.
package protocol PackingOperator: Operator {}
