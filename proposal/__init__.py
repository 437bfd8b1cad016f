"""What can run of proposal.md: report sections, patient statistics, budget, sample size, LoRA, and the protocol in miniature."""
