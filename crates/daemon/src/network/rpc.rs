//! XML-RPC requests: from the body to the answer.
