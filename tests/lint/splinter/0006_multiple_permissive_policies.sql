-- It finds several permissive policies for the same role and command.
CREATE TABLE staff (id int PRIMARY KEY, department int, grade int);
ALTER TABLE staff ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_department ON staff FOR SELECT TO authenticated USING (department = 1);
CREATE POLICY by_grade ON staff FOR SELECT TO authenticated USING (grade < 3);
