CREATE TABLE quotes (
    id int PRIMARY KEY,
    price numeric CONSTRAINT price_known NOT NULL,
    currency text NOT NULL,
    asked date CONSTRAINT asked_known NOT NULL
);
INSERT INTO quotes VALUES (1, 2, 'EUR', now());
