"""Conformance suites for who builds a store, an engine or a workflow of their own: classes to derive test classes from.

They need pytest. `sarcube.testing.store.StoreSuite`, `sarcube.testing.engine.EngineSuite`,
`sarcube.testing.workflow.WorkflowSuite`.
"""
