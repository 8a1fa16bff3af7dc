-- It finds a policy with a condition that is always true: true, 1 = 1, 'a' = 'a'.
CREATE TABLE user_data (id int PRIMARY KEY);
ALTER TABLE user_data ENABLE ROW LEVEL SECURITY;
CREATE POLICY anything ON user_data TO authenticated USING (1 = 1) WITH CHECK (1 = 1);
