-- Everything that can be wrong with a transfer.
CREATE OR REPLACE FUNCTION ledger.transfer_problem()
RETURNS TABLE (problem text, status int, detail text, pointer text)
LANGUAGE sql IMMUTABLE
AS $$
    VALUES
        ('unknown-currency', 404, 'There is no such currency.', NULL),
        ('too-many-decimals', 422,
         'The amount has more decimals than its currency.', '/amount'),
        ('amount-out-of-range', 422,
         'The amount is not above zero, or larger than money gets.',
         '/amount'),
        ('unknown-recipient', 422, 'There is no such recipient.', '/to'),
        ('same-account', 422, 'You are the recipient.', '/to'),
        ('memo-too-long', 422, 'A memo has at most 280 characters.',
         '/memo'),
        ('account-frozen', 403,
         'One of the two wallets is frozen: it neither pays nor receives.',
         NULL),
        ('insufficient-funds', 409,
         'The wallet has less available than this amount.', NULL),
        ('transfer-limit', 409,
         'This is more than you may pay at once.', NULL),
        ('day-limit', 409, 'This is more than you may still pay today.',
         NULL),
        ('velocity-limit', 409, 'You paid too often in a short time.', NULL),
        ('balance-limit', 409,
         'The recipient may not hold as much as this would make.', NULL),
        ('idempotency-conflict', 422,
         'This Idempotency-Key was used for another request.', NULL),
        ('invalid-idempotency-key', 400,
         'An Idempotency-Key has 1 to 255 characters.', NULL)
$$;

COMMENT ON FUNCTION ledger.transfer_problem() IS
    'Refusals of transfers';
