// How money is collected for a recovery. The manual provider is a bank transfer that an operator confirms.

/** Collects the fee of a recovery and gives it back. A provider keeps no state of its own: the invoice is the truth. */
export interface PaymentProvider {
  readonly name: string;
  /** What the customer must do to pay. */
  instructions(invoice: { number: string; amountMinor: number; currency: string }): string;
  /**
   * Gives the money of a paid invoice back. Called inside the transaction that marks it refunded, and again if that
   * transaction did not commit, so it must be safe to repeat for one invoice number.
   * @returns the provider's reference of the refund
   */
  refund(invoice: { number: string; providerReference: string | null }): Promise<string>;
}

export const manualPayments: PaymentProvider = {
  name: 'manual',
  instructions: ({ number, amountMinor, currency }) =>
    `Transfer ${(amountMinor / 100).toFixed(2)} ${currency} and name invoice ${number}. The recovery starts when the payment has been confirmed.`,
  refund: async ({ number }) => `refund of ${number}`,
};
