//! Who works with sets beside the operator: people with kubectl, autoscalers, disruption budgets, Services, and whoever
//! puts something of his own on a pod or a claim.

mod budget;
mod deleting;
mod foreign;
mod kubectl;
mod scale;
mod service;
mod volumes;
