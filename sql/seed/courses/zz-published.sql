-- Whoever cached the catalogue asks again.

SELECT azora.bump('catalogue');
